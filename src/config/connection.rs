//! How each target is reached.

use super::endpoint::Endpoint;
use super::environment::Environment;
use super::values::{Given, Values};
use crate::model::{Connection, Error, Provider, Result};

/// Resolves the connection of a target (`sync` or `backup`).
pub(super) fn resolve(
    values: &Values,
    side: &str,
    environment: &Environment,
) -> Result<Connection> {
    let text = |name: &str| {
        values
            .of_target(side, name)
            .and_then(Given::text)
            .map(str::to_owned)
    };
    let switch = |name: &str| values.of_target(side, name).and_then(Given::switch);
    let endpoint = endpoint(values, side);
    let guessed = endpoint.map_or(Provider::Aws, Endpoint::provider);
    let provider = match text("provider").as_deref() {
        Some("aws") => Provider::Aws,
        Some("b2") => Provider::B2,
        Some("minio") => Provider::Minio,
        Some(_) => Provider::Other,
        None => guessed,
    };
    let connection = Connection {
        endpoint: endpoint.map(|endpoint| endpoint.text.clone()),
        region: text("region"),
        profile: text("profile"),
        role_arn: text("role_arn"),
        keys: environment.keys(side)?,
        // Every store understands paths; only those known to have the names of buckets in their
        // DNS can do without.
        path_style: switch("path_style")
            .unwrap_or(!matches!(guessed, Provider::Aws | Provider::B2)),
        provider,
        ca_cert: values.of_target(side, "ca_cert").and_then(Given::path),
        allow_http: switch("allow_http").unwrap_or(false),
    };
    check(values, side, &connection)?;
    Ok(connection)
}

/// The target's endpoint, taken apart.
pub(super) fn endpoint<'v>(values: &'v Values, side: &str) -> Option<&'v Endpoint> {
    values.of_target(side, "endpoint")?.endpoint()
}

fn check(values: &Values, side: &str, connection: &Connection) -> Result<()> {
    if let Some(given) = values.of_target(side, "endpoint")
        && let Some(endpoint) = given.endpoint()
        && !(endpoint.secure || endpoint.is_loopback() || connection.allow_http)
    {
        return Err(Error::Usage(format!(
            "{}: {} is plain HTTP, which anybody on the way can read; use https://, or set \
             allow_http = true in [{side}] (TIDELOCK_{}_ALLOW_HTTP=true) if the network is yours",
            given.origin,
            endpoint.text,
            side.to_ascii_uppercase()
        )));
    }
    if let Some(path) = &connection.ca_cert
        && !path.is_file()
    {
        return Err(Error::Usage(format!(
            "{side}.ca_cert: there is no file {}; name the authority's PEM file, or leave ca_cert out",
            path.display()
        )));
    }
    Ok(())
}
