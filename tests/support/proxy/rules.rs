//! What goes wrong, and when.

use super::request::Request;

/// One thing that can go wrong with a request.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Fault {
    /// The connection is reset before the store sees anything.
    Reset,
    /// The connection is reset when half of the request's body has come.
    ResetInBody,
    /// The request is done, its answer lost.
    LoseAnswer,
    /// The request is taken and never answered.
    Stall,
    /// The request is done and never answered.
    StallDone,
    /// This status and code, without asking the store.
    Refuse(u16, &'static str),
    /// 200 with nothing inside, without asking the store.
    Pretend,
    /// A redirect to another address, where nobody listens.
    Redirect,
    /// 200 with this error inside, without asking the store: what Complete and Copy can do.
    ErrorIn200(&'static str),
    /// The same, though the store did it.
    ErrorIn200Done(&'static str),
    /// A byte of the request's body is flipped on the way to the store.
    FlipUp,
    /// MinIO's STS names no role in its answer to AssumeRole, which the SDK does not take.
    NameRole,
    /// A byte of the answer's body is flipped.
    FlipDown,
    /// The answer ends in the middle of its body.
    CutDown,
    /// The answer's body is half as long and says so.
    ShortenDown,
    /// A listing's page without anything in it, as if that were all.
    EmptyPage,
    /// A listing's page that says that more follows, and then comes again and again.
    RepeatPage,
}

impl Fault {
    /// Whether it can be made with this request at all; otherwise the request passes.
    fn fits(self, request: &Request, body: usize) -> bool {
        let lists = matches!(request.operation, "ListObjectsV2" | "ListObjectVersions");
        match self {
            Self::ResetInBody | Self::FlipUp => body > 0,
            Self::FlipDown | Self::CutDown | Self::ShortenDown => request.operation == "GetObject",
            Self::EmptyPage | Self::RepeatPage => lists,
            Self::ErrorIn200(_) | Self::ErrorIn200Done(_) => {
                matches!(request.operation, "CompleteMultipartUpload" | "CopyObject")
            }
            _ => true,
        }
    }
}

/// A fault and the requests that it strikes.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    fault: Fault,
    operation: Option<&'static str>,
    bucket: Option<String>,
    key: Option<String>,
    header: Option<&'static str>,
    signed_by: Option<String>,
    skip: u64,
    times: u64,
    /// Of 1,000 requests.
    chance: Option<u64>,
    fired: u64,
}

impl Rule {
    /// Strikes the first request that it fits, once.
    pub(crate) fn once(fault: Fault) -> Self {
        Self {
            fault,
            operation: None,
            bucket: None,
            key: None,
            header: None,
            signed_by: None,
            skip: 0,
            times: 1,
            chance: None,
            fired: 0,
        }
    }

    /// Strikes every request that it fits.
    pub(crate) fn always(fault: Fault) -> Self {
        Self {
            times: u64::MAX,
            ..Self::once(fault)
        }
    }

    /// Strikes so many of 1,000 requests, by the proxy's seed.
    pub(crate) fn chance(fault: Fault, of_1000: u64) -> Self {
        Self {
            chance: Some(of_1000),
            ..Self::always(fault)
        }
    }

    /// Of these requests only.
    pub(crate) fn on(self, operation: &'static str) -> Self {
        Self {
            operation: Some(operation),
            ..self
        }
    }

    /// Of this bucket only.
    pub(crate) fn of(self, bucket: &str) -> Self {
        Self {
            bucket: Some(bucket.to_owned()),
            ..self
        }
    }

    /// Of keys that contain this only.
    pub(crate) fn key(self, part: &str) -> Self {
        Self {
            key: Some(part.to_owned()),
            ..self
        }
    }

    /// Of requests with this header only.
    pub(crate) fn header(self, name: &'static str) -> Self {
        Self {
            header: Some(name),
            ..self
        }
    }

    /// Of requests signed with this access key only.
    pub(crate) fn signed_by(self, access_key: &str) -> Self {
        Self {
            signed_by: Some(access_key.to_owned()),
            ..self
        }
    }

    /// So many of them pass before.
    pub(crate) fn skip(self, count: u64) -> Self {
        Self {
            skip: count,
            ..self
        }
    }

    /// Strikes so many of them.
    pub(crate) fn times(self, count: u64) -> Self {
        Self {
            times: count,
            ..self
        }
    }

    pub(super) fn fired(&self) -> u64 {
        self.fired
    }

    /// The fault, where this request is due. `dice` is a random number.
    pub(super) fn strike(&mut self, request: &Request, body: usize, dice: u64) -> Option<Fault> {
        let matches = self
            .operation
            .is_none_or(|operation| operation == request.operation)
            && self
                .bucket
                .as_deref()
                .is_none_or(|bucket| bucket == request.bucket)
            && self
                .key
                .as_deref()
                .is_none_or(|part| request.key.contains(part))
            && self.header.is_none_or(|name| request.has(name))
            && self
                .signed_by
                .as_deref()
                .is_none_or(|key| request.is_signed_by(key))
            && self.fault.fits(request, body);
        if !matches || self.fired >= self.times {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        if self.chance.is_some_and(|chance| dice % 1000 >= chance) {
            return None;
        }
        self.fired += 1;
        Some(self.fault)
    }
}
