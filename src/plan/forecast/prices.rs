//! The price list, and what requests and storage cost by it.

use crate::model::{Cost, Error, Provider, Requests, Result};
use serde::Deserialize;

/// The list of all providers whose prices are known.
const LIST: &str = include_str!("prices.toml");

/// Classes whose price is the list's.
const STANDARD: &str = "STANDARD";

/// Bytes of what providers sell as a GB.
const GB: f64 = 1e9;

/// One provider's prices, in US dollars.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    provider: String,
    /// As people know it.
    pub name: String,
    /// Where they hold; empty for everywhere.
    regions: Vec<String>,
    /// A GB and month.
    storage: f64,
    /// A thousand PUTs, parts among them.
    put: f64,
    /// A thousand copies within the store.
    copy: f64,
    /// A thousand extensions of a lock.
    lock: f64,
    /// A thousand pages of a listing.
    list: f64,
    /// A thousand GETs, and whatever else is asked.
    get: f64,
    /// A GB downloaded.
    #[serde(rename = "download")]
    _download: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    as_of: String,
    price: Vec<Prices>,
}

/// The prices of a provider in a region, and of when they are; none where they are not known, as
/// they are not for any but the standard storage class.
///
/// # Errors
/// `Failed` if the list that was built in can't be read.
pub fn prices(
    provider: Provider,
    region: &str,
    class: Option<&str>,
) -> Result<Option<(Prices, String)>> {
    let name = match provider {
        Provider::Aws => "aws",
        Provider::B2 => "b2",
        Provider::Minio | Provider::Other => return Ok(None),
    };
    if class.is_some_and(|class| class != STANDARD) {
        return Ok(None);
    }
    let list: List = toml::from_str(LIST)
        .map_err(|error| Error::Failed(format!("the built-in price list: {error}")))?;
    let holds = |price: &Prices| {
        let here = |known: &String| known == region;
        price.provider == name && (price.regions.is_empty() || price.regions.iter().any(here))
    };
    let as_of = list.as_of;
    let found = list.price.into_iter().find(holds);
    Ok(found.map(|prices| (prices, as_of)))
}

impl Prices {
    /// What these requests cost, in dollars.
    pub fn of_requests(&self, requests: &Requests) -> f64 {
        let of = |(name, count): (&&str, &u64)| self.of_request(name) * *count as f64 / 1000.0;
        requests.iter().map(of).sum()
    }

    /// What `bytes` more and `requests` cost, and `renewals` a year.
    pub fn cost(&self, as_of: &str, requests: &Requests, bytes: u64, renewals: u64) -> Cost {
        Cost {
            prices: format!("{}, list prices of {as_of}", self.name),
            requests: self.of_requests(requests),
            storage_a_month: bytes as f64 / GB * self.storage,
            renewals_a_year: renewals as f64 * self.lock / 1000.0,
        }
    }

    /// A thousand of a kind. Deletes and the dropping of uploads are free with all of them.
    fn of_request(&self, name: &str) -> f64 {
        match name {
            "DeleteObject" | "AbortMultipartUpload" => 0.0,
            "CopyObject" | "UploadPartCopy" => self.copy,
            "PutObjectRetention" => self.lock,
            "PutObject" | "UploadPart" | "CreateMultipartUpload" | "CompleteMultipartUpload" => {
                self.put
            }
            listing if listing.starts_with("List") => self.list,
            _ => self.get,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_known_by_provider_region_and_class() {
        let known = |provider, region, class| {
            let found = prices(provider, region, class).expect("a list");
            found.map(|(prices, as_of)| (prices.storage, as_of))
        };
        let of = |storage| Some((storage, "November 2025".to_owned()));
        for (provider, region, class, expected) in [
            (Provider::Aws, "us-east-1", None, of(0.023)),
            (Provider::Aws, "us-east-1", Some("STANDARD"), of(0.023)),
            (Provider::Aws, "eu-central-1", None, of(0.0245)),
            (Provider::Aws, "us-east-1", Some("GLACIER_IR"), None),
            (Provider::Aws, "mars-north-1", None, None),
            (Provider::B2, "eu-central-003", None, of(0.006)),
            (Provider::Minio, "us-east-1", None, None),
            (Provider::Other, "us-east-1", None, None),
        ] {
            assert_eq!(
                known(provider, region, class),
                expected,
                "{provider:?} {region}"
            );
        }
    }

    #[test]
    fn each_kind_of_request_has_its_price() {
        let (aws, as_of) = prices(Provider::Aws, "us-east-1", None)
            .expect("a list")
            .expect("known");
        let requests = Requests::from([
            ("PutObject", 1_000),
            ("CopyObject", 1_000),
            ("ListObjectsV2", 1_000),
            ("GetObject", 1_000),
            ("HeadObject", 1_000),
            ("DeleteObject", 1_000),
        ]);
        let cost = aws.cost(&as_of, &requests, 10_000_000_000, 2_000);
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(near(cost.requests, 0.0158), "{cost:?}");
        assert!(near(cost.storage_a_month, 0.23), "{cost:?}");
        assert!(near(cost.renewals_a_year, 0.01), "{cost:?}");
        let (b2, _) = prices(Provider::B2, "anywhere", None)
            .expect("a list")
            .expect("known");
        let puts = Requests::from([("PutObject", 1_000_000), ("PutObjectRetention", 9)]);
        assert_eq!(b2.of_requests(&puts), 0.0);
    }
}
