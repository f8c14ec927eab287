//! Between the SDK's types and ours.

use crate::model::{Crc64, Mode, Retention, Time};
use aws_sdk_s3::types::{ObjectLockMode, ServerSideEncryption};
use aws_smithy_types::DateTime;
use md5::{Digest, Md5};

/// An ETag without its quotes.
pub(super) fn etag(quoted: Option<&str>) -> String {
    quoted.unwrap_or_default().trim_matches('"').to_owned()
}

/// An ETag as conditions want it.
pub(super) fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

/// A CRC64NVME in S3's form; composite ones (`…-N`), which no store has, are none.
pub(super) fn crc64(text: Option<&str>) -> Option<Crc64> {
    text.and_then(Crc64::from_base64)
}

/// A time that the store gave; 1970 where it gave none.
pub(super) fn time(given: Option<&DateTime>) -> Time {
    given
        .and_then(|time| Time::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok())
        .unwrap_or(Time::UNIX_EPOCH)
}

/// A lock's end as stores keep it: in whole seconds, and never earlier than asked for.
pub(super) fn until(time: Time) -> DateTime {
    let up = i64::from(time.subsec_nanosecond() > 0);
    DateTime::from_secs(time.as_second() + up)
}

pub(super) fn lock_mode(mode: Mode) -> ObjectLockMode {
    match mode {
        Mode::Governance => ObjectLockMode::Governance,
        Mode::Compliance => ObjectLockMode::Compliance,
    }
}

/// A lock, where mode and date are both there and known.
pub(super) fn retention(mode: Option<&str>, until: Option<&DateTime>) -> Option<Retention> {
    Some(Retention {
        mode: Mode::parse(mode?)?,
        until: time(Some(until?)),
    })
}

/// `AES256`, `aws:kms` or `aws:kms:KEY-ID` as the two fields of S3.
pub(super) fn sse(text: &str) -> (ServerSideEncryption, Option<String>) {
    match text.strip_prefix("aws:kms:") {
        Some(rest) if rest != "dsse" => (ServerSideEncryption::AwsKms, Some(rest.to_owned())),
        _ => (ServerSideEncryption::from(text), None),
    }
}

/// The MD5 of bytes, in the two forms that S3 has for it.
pub(super) struct Md5Sum([u8; 16]);

impl Md5Sum {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(Md5::digest(bytes).into())
    }

    /// For `Content-MD5`.
    pub(super) fn to_base64(&self) -> String {
        data_encoding::BASE64.encode(&self.0)
    }

    /// As the ETag of an object or part that was sent in one piece.
    pub(super) fn to_hex(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.0)
    }
}

/// `x-amz-copy-source`: bucket and key percent-encoded (but for `/`), then the version.
pub(super) fn copy_source(bucket: &str, key: &str, version_id: Option<&str>) -> String {
    let mut source = format!("{bucket}/{}", percent_encoded(key, true));
    if let Some(version_id) = version_id {
        source.push_str("?versionId=");
        source.push_str(&percent_encoded(version_id, false));
    }
    source
}

/// As S3 wants keys in paths and queries (RFC 3986's unreserved characters stay).
pub(super) fn percent_encoded(text: &str, keep_slash: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            b'/' if keep_slash => encoded.push('/'),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// Undoes `encoding-type=url`, where a `+` is a space. None on what no encoder makes.
pub(super) fn url_decoded(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => hex_digit(bytes.next()?)? << 4 | hex_digit(bytes.next()?)?,
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_keys_are_decoded_as_they_were_encoded() {
        for (encoded, decoded) in [
            ("a+b%2Bc/%25+%F0%9F%8C%8A", "a b+c/% 🌊"),
            ("%01%0A", "\u{1}\n"),
            ("plain/key", "plain/key"),
        ] {
            assert_eq!(url_decoded(encoded).as_deref(), Some(decoded));
        }
        for bad in ["%", "%4", "%zz", "%ff"] {
            assert_eq!(url_decoded(bad), None, "{bad}");
        }
    }

    #[test]
    fn copy_sources_survive_any_key() {
        assert_eq!(
            copy_source("photos", "a b/%+?#🌊", Some("v/1=")),
            "photos/a%20b/%25%2B%3F%23%F0%9F%8C%8A?versionId=v%2F1%3D"
        );
    }

    #[test]
    fn a_lock_never_ends_before_the_time_asked_for() {
        let time: Time = "2026-11-24T10:00:00.000000001Z".parse().expect("time");
        assert_eq!(until(time).secs(), time.as_second() + 1);
        let whole: Time = "2026-11-24T10:00:00Z".parse().expect("time");
        assert_eq!(until(whole).secs(), whole.as_second());
    }

    #[test]
    fn encryption_is_named_in_three_ways() {
        assert_eq!(sse("AES256"), (ServerSideEncryption::Aes256, None));
        assert_eq!(sse("aws:kms"), (ServerSideEncryption::AwsKms, None));
        let (kind, key) = sse("aws:kms:alias/photos");
        assert_eq!(kind, ServerSideEncryption::AwsKms);
        assert_eq!(key.as_deref(), Some("alias/photos"));
    }
}
