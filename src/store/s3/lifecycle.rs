//! Lifecycle rules: those that are there, and one of our own.

use super::S3Store;
use super::body::Patience;
use crate::model::{StoreError, StoreErrorKind, StoreResult};
use crate::store::lifecycle;
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, ExpirationStatus, LifecycleRule, LifecycleRuleFilter,
    NoncurrentVersionExpiration as Noncurrent,
};

impl S3Store {
    pub(super) async fn read_lifecycle(&self) -> StoreResult<Vec<lifecycle::Rule>> {
        match self.lifecycle_rules().await {
            Ok(rules) => Ok(rules.iter().filter_map(rule).collect()),
            // A store without lifecycle rules does nothing by them.
            Err(error) if error.kind == StoreErrorKind::Unsupported => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Adds one rule and keeps the others: the API knows only the whole list.
    pub(super) async fn expire_noncurrent_versions(
        &self,
        prefix: &str,
        days: i32,
    ) -> StoreResult<()> {
        let rule = self.expiry_rule(prefix, days)?;
        let mut rules = self.lifecycle_rules().await?;
        rules.retain(|other| other.id() != rule.id());
        rules.push(rule);
        let lifecycle = BucketLifecycleConfiguration::builder()
            .set_rules(Some(rules))
            .build()
            .map_err(|error| self.unbuildable(&error))?;
        let request = self
            .client
            .put_bucket_lifecycle_configuration()
            .bucket(&self.bucket)
            .lifecycle_configuration(lifecycle)
            .send();
        self.send(
            "PutBucketLifecycleConfiguration",
            "",
            &Patience::new(),
            request,
        )
        .await?;
        Ok(())
    }

    fn expiry_rule(&self, prefix: &str, days: i32) -> StoreResult<LifecycleRule> {
        let expiration = Noncurrent::builder().noncurrent_days(days).build();
        LifecycleRule::builder()
            .id(format!("tidelock-noncurrent-{}", prefix.replace('/', "-")))
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix(prefix).build())
            .noncurrent_version_expiration(expiration)
            .build()
            .map_err(|error| self.unbuildable(&error))
    }

    async fn lifecycle_rules(&self) -> StoreResult<Vec<LifecycleRule>> {
        let request = self
            .client
            .get_bucket_lifecycle_configuration()
            .bucket(&self.bucket)
            .send();
        let operation = "GetBucketLifecycleConfiguration";
        match self.send(operation, "", &Patience::new(), request).await {
            Ok(output) => Ok(output.rules().to_vec()),
            Err(error) if error.message.contains("NoSuchLifecycleConfiguration") => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    fn unbuildable(&self, error: &dyn std::error::Error) -> StoreError {
        let operation = "PutBucketLifecycleConfiguration";
        self.error(operation, "", StoreErrorKind::Invalid, error.to_string())
    }
}

/// What a rule does, in plain words of ours; nothing of one that is disabled.
fn rule(rule: &LifecycleRule) -> Option<lifecycle::Rule> {
    if *rule.status() == ExpirationStatus::Disabled {
        return None;
    }
    let classes = rule
        .transitions()
        .iter()
        .filter_map(|it| it.storage_class());
    let old = rule.noncurrent_version_transitions().iter();
    let classes = classes.chain(old.filter_map(|it| it.storage_class()));
    Some(lifecycle::Rule {
        id: rule.id().unwrap_or_default().to_owned(),
        prefix: prefix(rule),
        // Not one that only drops delete markers without versions behind them.
        expires_current: rule
            .expiration()
            .is_some_and(|it| it.days().is_some() || it.date().is_some()),
        expires_noncurrent: rule.noncurrent_version_expiration().is_some(),
        moves_to: classes.map(|class| class.as_str().to_owned()).collect(),
    })
}

/// Rules of an older form have the prefix beside the filter, not in it.
fn prefix(rule: &LifecycleRule) -> String {
    let filter = rule.filter();
    let both = filter.and_then(|filter| filter.and()?.prefix());
    let in_filter = filter.and_then(|filter| filter.prefix());
    #[allow(deprecated, reason = "rules that were made with it are still there")]
    let beside = rule.prefix();
    let prefix = both.or(in_filter).or(beside);
    prefix.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_s3::types::{
        LifecycleExpiration, LifecycleRuleAndOperator, Transition, TransitionStorageClass,
    };

    fn built(status: ExpirationStatus) -> lifecycle::Rule {
        let filter = LifecycleRuleAndOperator::builder().prefix("lib/").build();
        let filter = LifecycleRuleFilter::builder().and(filter).build();
        let cold = Transition::builder().storage_class(TransitionStorageClass::Glacier);
        let markers = LifecycleExpiration::builder().expired_object_delete_marker(true);
        let made = LifecycleRule::builder()
            .status(status)
            .filter(filter)
            .expiration(markers.build())
            .transitions(cold.build())
            .build();
        rule(&made.expect("a rule")).unwrap_or_default()
    }

    #[test]
    fn a_rule_is_read_for_what_it_does_and_where() {
        let read = built(ExpirationStatus::Enabled);
        assert_eq!(read.prefix, "lib/");
        assert_eq!(read.moves_to, ["GLACIER"]);
        assert!(!read.expires_current && !read.expires_noncurrent);
        assert_eq!(
            built(ExpirationStatus::Disabled),
            lifecycle::Rule::default()
        );
    }
}
