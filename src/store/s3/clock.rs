//! The server's clock, and the guard that no request leaves the machine in the clear.

use super::endpoint;
use crate::model::{Time, time};
use aws_sdk_s3::config::interceptors::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use std::sync::atomic::{AtomicI64, Ordering};

/// No answer was seen yet.
const UNKNOWN: i64 = i64::MIN;

/// How far the server's clock is ahead of the local one, in milliseconds, by the newest answer.
#[derive(Debug)]
pub(super) struct ServerClock(AtomicI64);

impl ServerClock {
    pub(super) fn new() -> Self {
        Self(AtomicI64::new(UNKNOWN))
    }

    /// Notes a `Date` header that was read at `local`.
    pub(super) fn note(&self, date: &str, local: Time) {
        if let Ok(date) = DateTime::from_str(date, Format::HttpDate)
            && let Ok(server) = date.to_millis()
        {
            let ahead = server.saturating_sub(local.as_millisecond());
            self.0.store(ahead, Ordering::Relaxed);
        }
    }

    /// The server's time at `local`; none before the first answer.
    pub(super) fn at(&self, local: Time) -> Option<Time> {
        match self.0.load(Ordering::Relaxed) {
            UNKNOWN => None,
            ahead => Time::from_millisecond(local.as_millisecond().saturating_add(ahead)).ok(),
        }
    }
}

/// Reads the `Date` of every answer, refusals included.
#[derive(Debug)]
pub(super) struct ReadDate(pub(super) std::sync::Arc<ServerClock>);

impl Intercept for ReadDate {
    fn name(&self) -> &'static str {
        "ReadDate"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(date) = context.response().headers().get("date") {
            self.0.note(date, time::local_now());
        }
        Ok(())
    }
}

/// Refuses to sign a request that would go over plain HTTP beyond loopback, wherever its address
/// came from (a variable, a profile, the SDK's rules).
#[derive(Debug)]
pub(super) struct RefusePlainHttp;

/// What [`RefusePlainHttp`] answers.
#[derive(Debug, thiserror::Error)]
#[error(
    "plain HTTP would show your files to the network; use an https:// endpoint, or set \
     allow_http = true for this target if the network is your own"
)]
pub(super) struct PlainHttp;

impl Intercept for RefusePlainHttp {
    fn name(&self) -> &'static str {
        "RefusePlainHttp"
    }

    fn read_before_signing(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if endpoint::is_exposed(context.request().uri()) {
            return Err(PlainHttp.into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_s_time_follows_its_newest_date() {
        let clock = ServerClock::new();
        let local: Time = "2026-11-24T10:00:00.5Z".parse().expect("time");
        assert_eq!(clock.at(local), None);
        clock.note("garbage", local);
        assert_eq!(clock.at(local), None);
        clock.note("Wed, 24 Nov 2027 10:00:00 GMT", local);
        let later: Time = "2026-11-24T10:00:02.5Z".parse().expect("time");
        let server: Time = "2027-11-24T10:00:02Z".parse().expect("time");
        assert_eq!(clock.at(later), Some(server));
    }
}
