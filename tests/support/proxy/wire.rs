//! As much of HTTP/1.1 as S3 clients and servers use: heads, and bodies by length or in chunks.

use std::io::{self, ErrorKind};
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// More than any S3 message has.
const LONGEST_HEAD: usize = 256 << 10;

/// The first line and the headers, byte for byte: signatures cover some of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    lines: Vec<String>,
}

impl Head {
    /// Reads a head; `None` where the peer closed the connection between two messages.
    pub(super) async fn read(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Self>> {
        let mut lines = Vec::new();
        let mut length = 0;
        loop {
            let mut line = Vec::new();
            if from.read_until(b'\n', &mut line).await? == 0 {
                return if lines.is_empty() {
                    Ok(None)
                } else {
                    Err(ErrorKind::UnexpectedEof.into())
                };
            }
            length += line.len();
            if length > LONGEST_HEAD {
                return Err(ErrorKind::InvalidData.into());
            }
            let text = String::from_utf8(line).map_err(|_| ErrorKind::InvalidData)?;
            match text.trim_end_matches(['\r', '\n']) {
                "" => return Ok(Some(Self { lines })),
                line => lines.push(line.to_owned()),
            }
        }
    }

    /// A word of the first line, from 0.
    pub(super) fn word(&self, place: usize) -> &str {
        let first = self.lines.first().map_or("", String::as_str);
        first.split(' ').nth(place).unwrap_or_default()
    }

    /// The status of an answer.
    pub(super) fn status(&self) -> u16 {
        self.word(1).parse().unwrap_or(0)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.lines.iter().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.lines.retain(|line| {
            !line
                .split_once(':')
                .is_some_and(|(found, _)| found.eq_ignore_ascii_case(name))
        });
    }

    /// Says that the body has another length than it came with.
    pub(super) fn set_length(&mut self, length: usize) {
        self.remove("transfer-encoding");
        self.remove("content-length");
        self.lines.push(format!("Content-Length: {length}"));
    }

    /// Makes the answer one of later.
    pub(super) fn shift_date(&mut self, ahead: Duration) {
        let date = self.header("date").map(str::to_owned);
        let format = "%a, %d %b %Y %H:%M:%S GMT";
        let parse = |text: String| jiff::civil::DateTime::strptime(format, text).ok();
        if let Some(date) = date.filter(|_| !ahead.is_zero()).and_then(parse) {
            self.remove("date");
            let later = date.checked_add(ahead).expect("a date");
            self.lines.push(format!("Date: {}", later.strftime(format)));
        }
    }

    pub(super) fn add(&mut self, line: &str) {
        self.lines.push(line.to_owned());
    }

    pub(super) fn is_chunked(&self) -> bool {
        self.header("transfer-encoding")
            .is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
    }

    pub(super) fn length(&self) -> Option<usize> {
        self.header("content-length")?.parse().ok()
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut text = self.lines.join("\r\n");
        text.push_str("\r\n\r\n");
        text.into_bytes()
    }
}

/// A whole body, chunks joined. An answer without a length lasts until the connection's end.
pub(super) async fn read_body(
    head: &Head,
    from: &mut (impl AsyncBufRead + Unpin),
    to_the_end: bool,
) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if head.is_chunked() {
        read_chunks(from, &mut body).await?;
    } else if let Some(length) = head.length() {
        body.resize(length, 0);
        from.read_exact(&mut body).await?;
    } else if to_the_end {
        from.read_to_end(&mut body).await?;
    }
    Ok(body)
}

async fn read_chunks(from: &mut (impl AsyncBufRead + Unpin), body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let mut line = String::new();
        from.read_line(&mut line).await?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| ErrorKind::InvalidData)?;
        let start = body.len();
        body.resize(start + size, 0);
        from.read_exact(&mut body[start..]).await?;
        let mut end = String::new();
        // Behind the last chunk come trailers, which S3 servers do not send, and an empty line.
        from.read_line(&mut end).await?;
        if size == 0 {
            return Ok(());
        }
    }
}

/// Sends a message whose body's length stands in its head.
pub(super) async fn write(
    head: &Head,
    body: &[u8],
    to: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    to.write_all(&head.bytes()).await?;
    to.write_all(body).await?;
    to.flush().await
}

/// An answer of S3's kind that no store gave.
pub(super) fn refusal(status: u16, code: &str, bodiless: bool) -> (Head, Vec<u8>) {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>\
         <Message>made up by the fault proxy</Message></Error>"
    );
    let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT");
    let mut head = Head {
        lines: vec![
            format!("HTTP/1.1 {status} Made-Up"),
            format!("Date: {date}"),
            "Content-Type: application/xml".to_owned(),
        ],
    };
    let body = if bodiless {
        Vec::new()
    } else {
        body.into_bytes()
    };
    head.set_length(body.len());
    (head, body)
}
