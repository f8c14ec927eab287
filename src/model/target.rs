//! Where things are stored: `s3://bucket/prefix`.

use std::fmt;

/// A bucket and a prefix in it.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct Target {
    /// The bucket's name.
    pub bucket: String,
    /// Without leading or trailing `/`; empty for the whole bucket.
    pub prefix: String,
}

impl Target {
    /// Reads `s3://bucket` or `s3://bucket/prefix`.
    ///
    /// # Errors
    /// What is wrong with it, naming the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix("s3://") else {
            return Err(format!(
                "{text:?} is not a target: write s3://bucket or s3://bucket/prefix"
            ));
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        check_bucket_name(bucket).map_err(|why| format!("{text:?}: the bucket's name {why}"))?;
        let prefix = prefix.trim_end_matches('/');
        check_prefix(prefix).map_err(|why| format!("{text:?}: the prefix {why}"))?;
        Ok(Self {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        })
    }

    /// The key of `name` below the prefix.
    pub fn key(&self, name: &str) -> String {
        if self.prefix.is_empty() {
            name.to_owned()
        } else {
            format!("{}/{name}", self.prefix)
        }
    }

    /// The prefix with its `/`, as listings want it; empty for the whole bucket.
    pub fn listing_prefix(&self) -> String {
        self.key("")
    }

    /// Whether a key can lie in both targets, given that both are on the same store.
    pub fn overlaps(&self, other: &Self) -> bool {
        let (mine, theirs) = (self.listing_prefix(), other.listing_prefix());
        self.bucket == other.bucket && (mine.starts_with(&theirs) || theirs.starts_with(&mine))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        if !self.prefix.is_empty() {
            write!(f, "/{}", self.prefix)?;
        }
        Ok(())
    }
}

/// The rules for general purpose buckets in S3's user guide, "Bucket naming rules".
fn check_bucket_name(name: &str) -> Result<(), &'static str> {
    let edge =
        |byte: Option<u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if !(3..=63).contains(&name.len()) {
        return Err("must have 3 to 63 characters");
    }
    if !name
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-')
    {
        return Err("may only have lower-case letters, digits, dots and hyphens");
    }
    if !edge(name.bytes().next()) || !edge(name.bytes().last()) {
        return Err("must begin and end with a letter or a digit");
    }
    if name.contains("..") {
        return Err("may not have two dots in a row");
    }
    if name.parse::<std::net::Ipv4Addr>().is_ok() {
        return Err("may not look like an IP address");
    }
    Ok(())
}

fn check_prefix(prefix: &str) -> Result<(), &'static str> {
    if prefix.is_empty() {
        return Ok(());
    }
    if prefix
        .split('/')
        .any(|segment| matches!(segment, "" | "." | ".."))
    {
        return Err("may not have empty, `.` or `..` segments");
    }
    if prefix.split('/').any(|segment| segment == ".tidelock") {
        return Err("may not have a segment `.tidelock`, which Tidelock reserves for itself");
    }
    if prefix.chars().any(char::is_control) {
        return Err("may not have control characters");
    }
    // Leaves room for `manifests/` and for escaped long paths below S3's 1,024 bytes.
    if prefix.len() > 512 {
        return Err("may not be longer than 512 bytes");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_and_shown() {
        for (text, shown) in [
            ("s3://photos", "s3://photos"),
            ("s3://photos/", "s3://photos"),
            ("s3://photos/lib/2024/", "s3://photos/lib/2024"),
        ] {
            assert_eq!(Target::parse(text).expect(text).to_string(), shown);
        }
        for bad in [
            "photos",
            "s3://",
            "s3://Ab",
            "s3://a",
            "s3://photos/a//b",
            "s3://photos/../x",
        ] {
            assert!(Target::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn overlap_goes_by_whole_segments() {
        let target = |text: &str| Target::parse(text).expect(text);
        assert!(target("s3://one/a").overlaps(&target("s3://one/a/b")));
        assert!(target("s3://one").overlaps(&target("s3://one/a")));
        assert!(!target("s3://one/a").overlaps(&target("s3://one/ab")));
        assert!(!target("s3://one/a").overlaps(&target("s3://two/a")));
    }
}
