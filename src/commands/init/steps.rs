//! What the account's owner does where the keys may not.

use super::buckets::Plan;
use crate::model::{Provider, StoreError};

/// The bucket is to be made.
pub(super) fn make(plan: &Plan) -> String {
    let bucket = &plan.target.bucket;
    let lock = if plan.lock {
        " --object-lock-enabled-for-bucket"
    } else {
        ""
    };
    let place = match (&plan.connection.region, plan.connection.provider) {
        (Some(region), Provider::Aws) if region != "us-east-1" => {
            format!(" --create-bucket-configuration LocationConstraint={region}")
        }
        _ => String::new(),
    };
    let command = aws(plan, "create-bucket", &format!("{lock}{place}"));
    let console = match (plan.connection.provider, plan.lock) {
        (Provider::Aws, true) => {
            "S3 console: Create bucket, Advanced settings, Object Lock: Enable"
        }
        (Provider::Aws, false) => "S3 console: Create bucket, all as proposed",
        (Provider::B2, true) => "B2 console: Create a Bucket, Private, Object Lock: Enable",
        (Provider::B2, false) => "B2 console: Create a Bucket, Private",
        (_, true) => "your provider's console: a new bucket with versioning and object lock",
        (_, false) => "your provider's console: a new bucket",
    };
    format!("- make the bucket {bucket}: {console}; or\n    {command}")
}

/// The bucket's settings can't be seen.
pub(super) fn look(plan: &Plan, error: &StoreError) -> String {
    format!(
        "- the keys may not look at the bucket {}, or it belongs to somebody else ({}). If it is \
         yours, allow them s3:GetBucketVersioning, s3:GetBucketObjectLockConfiguration and \
         s3:ListBucket, and see what it is:\n    {}",
        plan.target.bucket,
        error.message,
        aws(plan, "get-bucket-versioning", "")
    )
}

/// The bucket is to get versioning and lock.
pub(super) fn lock(plan: &Plan) -> String {
    format!(
        "- enable object lock on the bucket {} (it can't be disabled again): in the console at its \
         properties, Object Lock: Enable; or\n    {}\n    {}",
        plan.target.bucket,
        aws(
            plan,
            "put-bucket-versioning",
            " --versioning-configuration Status=Enabled"
        ),
        aws(
            plan,
            "put-object-lock-configuration",
            " --object-lock-configuration ObjectLockEnabled=Enabled"
        ),
    )
}

/// Old versions of the mirror are to expire.
pub(super) fn expire(plan: &Plan) -> String {
    format!(
        "- let old versions in the bucket {} go after a day: in the console a lifecycle rule for \
         the prefix {:?} that expires noncurrent versions after 1 day",
        plan.target.bucket,
        plan.target.listing_prefix()
    )
}

fn aws(plan: &Plan, operation: &str, rest: &str) -> String {
    let endpoint = match &plan.connection.endpoint {
        Some(endpoint) => format!(" --endpoint-url {endpoint}"),
        None => String::new(),
    };
    format!(
        "aws s3api {operation} --bucket {}{rest}{endpoint}",
        plan.target.bucket
    )
}
