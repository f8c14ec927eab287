//! What comes back: XML, refusals, a body and its checksum.

use super::super::convert;
use super::Result;
use crate::store::Written;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{BoxError, ErrorMetadata, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_checksums::ChecksumAlgorithm;
use aws_smithy_checksums::http::HttpChecksum;
use aws_smithy_xml::decode::{Document, XmlDecodeError, try_data};
use bytes::Bytes;

/// An answer in XML that is longer is none of S3's.
const LONGEST: usize = 1 << 20;

/// The store's own word for a refusal; both empty where the answer has none.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(in crate::store::s3) struct Refusal(ErrorMetadata);

impl ProvideErrorMetadata for Refusal {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}

/// Reads why a request was refused.
pub(super) async fn refusal(mut response: HttpResponse) -> SdkError<Refusal, HttpResponse> {
    match text(&mut response).await {
        Ok(text) => {
            // A proxy's page says nothing that we understand; then the status must do.
            let found = fields(&text).unwrap_or_default();
            refused(found, response)
        }
        Err(error) => SdkError::response_error(error, response),
    }
}

fn refused(found: Found, response: HttpResponse) -> SdkError<Refusal, HttpResponse> {
    let mut metadata = ErrorMetadata::builder();
    if found.root == "Error" {
        if let Some(code) = found.get("Code") {
            metadata = metadata.code(code);
        }
        if let Some(message) = found.get("Message") {
            metadata = metadata.message(message);
        }
    }
    SdkError::service_error(Refusal(metadata.build()), response)
}

/// The version that an answer is about.
pub(in crate::store::s3) fn version_of(response: &HttpResponse) -> Option<String> {
    response
        .headers()
        .get("x-amz-version-id")
        .map(str::to_owned)
}

/// Reads how a copy ended: a store begins its answer before it knows.
pub(in crate::store::s3) async fn copied(mut response: HttpResponse) -> Result<Written> {
    let text = match text(&mut response).await {
        Ok(text) => text,
        Err(error) => return Err(SdkError::response_error(error, response)),
    };
    let found = match fields(&text) {
        Ok(found) if found.root == "Error" => return Err(refused(found, response)),
        Ok(found) if matches!(&*found.root, "CopyObjectResult" | "") => found,
        Ok(found) => {
            let why = format!("<{}> in the place of <CopyObjectResult>", found.root);
            return Err(SdkError::response_error(why, response));
        }
        Err(error) => return Err(SdkError::response_error(error, response)),
    };
    Ok(Written {
        version_id: version_of(&response),
        etag: convert::etag(found.get("ETag")),
        crc64nvme: convert::crc64(found.get("ChecksumCRC64NVME")),
    })
}

/// The root's name, and the text of what lies directly below it.
#[derive(Default)]
struct Found {
    root: String,
    fields: Vec<(String, String)>,
}

impl Found {
    fn get(&self, wanted: &str) -> Option<&str> {
        let field = self.fields.iter().find(|(name, _)| name == wanted);
        field.map(|(_, text)| text.as_str())
    }
}

fn fields(text: &str) -> std::result::Result<Found, XmlDecodeError> {
    // Copies that take long are kept alive by spaces.
    let text = text.trim_start();
    if text.is_empty() {
        return Ok(Found::default());
    }
    let mut document = Document::new(text);
    let mut root = document.root_element()?;
    let mut found = Found {
        root: root.start_el().local().to_owned(),
        fields: Vec::new(),
    };
    while let Some(mut tag) = root.next_tag() {
        let name = tag.start_el().local().to_owned();
        // What has elements of its own is nothing that is asked for here.
        if let Ok(data) = try_data(&mut tag) {
            found.fields.push((name, data.into_owned()));
        }
    }
    Ok(found)
}

async fn text(response: &mut HttpResponse) -> std::result::Result<String, BoxError> {
    let mut body = ByteStream::new(response.take_body());
    let mut all = Vec::new();
    while let Some(bytes) = body.next().await {
        all.extend_from_slice(&bytes?);
        if all.len() > LONGEST {
            return Err("the answer is too long".into());
        }
    }
    // S3 speaks UTF-8; a proxy before it may not, and then the status counts.
    Ok(String::from_utf8_lossy(&all).into_owned())
}

/// The checksum of a body as far as it came, beside the one that the answer names.
pub(in crate::store::s3) struct Checked(Option<(Box<dyn HttpChecksum>, String)>);

impl Checked {
    /// The checksum that an answer names. Composite ones are not those of the bytes.
    pub(in crate::store::s3) fn of(response: &HttpResponse) -> Self {
        let algorithms = ["CRC64NVME", "CRC32C", "CRC32", "SHA256", "SHA1"];
        let mut known = algorithms.iter().filter_map(|name| {
            let header = format!("x-amz-checksum-{}", name.to_ascii_lowercase());
            let value = response.headers().get(header)?;
            let algorithm: ChecksumAlgorithm = name.parse().ok()?;
            (!value.contains('-')).then(|| (algorithm.into_impl(), value.to_owned()))
        });
        Self(known.next())
    }

    pub(in crate::store::s3) fn update(&mut self, bytes: &Bytes) {
        if let Some((checksum, _)) = &mut self.0 {
            checksum.update(bytes);
        }
    }

    /// Whether what came is what the answer promised; true where it promised nothing.
    pub(in crate::store::s3) fn holds(self) -> bool {
        self.0
            .is_none_or(|(checksum, named)| checksum.header_value() == named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_s3::primitives::SdkBody;

    #[test]
    fn what_lies_below_the_root_is_read() {
        let text = "  <?xml version=\"1.0\"?>\n<Error xmlns=\"x\"><Code>No&amp;Way</Code><A><B>b</B></A>\
                    <Message>because</Message></Error>";
        let found = fields(text).expect("read");
        assert_eq!(found.root, "Error");
        assert_eq!(found.get("Code"), Some("No&Way"));
        assert_eq!(found.get("Message"), Some("because"));
        assert_eq!(found.get("B"), None);
        assert_eq!(fields("").expect("nothing").root, "");
        assert!(
            fields("<html><p>").is_err() || fields("<html><p>").is_ok_and(|f| f.root != "Error")
        );
    }

    #[test]
    fn a_body_is_held_against_the_checksum_that_its_answer_names() {
        let response = |value: &str| {
            let mut response = HttpResponse::new(200.try_into().expect("ok"), SdkBody::empty());
            response
                .headers_mut()
                .insert("x-amz-checksum-crc32c", value.to_owned());
            response
        };
        // CRC-32C of "123456789" is e3069283 (RFC 3720's polynomial, the usual check value).
        for (value, holds) in [
            ("4waSgw==", true),
            ("4waSgg==", false),
            ("AAAAAA==-2", true),
        ] {
            let mut checked = Checked::of(&response(value));
            checked.update(&Bytes::from_static(b"12345"));
            checked.update(&Bytes::from_static(b"6789"));
            assert_eq!(checked.holds(), holds, "{value}");
        }
    }
}
