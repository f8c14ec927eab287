//! From one connection of a client to the store and back.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::Shared;
use super::request::Request;
use super::rules::Fault;
use super::wire::{self, Head};

/// Accepts connections, except while there is an outage.
pub(super) async fn serve(listener: TcpListener, address: SocketAddr, shared: Arc<Shared>) {
    let mut down = shared.down.subscribe();
    let mut listener = Some(listener);
    loop {
        if *down.borrow_and_update() {
            listener = None;
            if down.changed().await.is_err() {
                return;
            }
            continue;
        }
        let bound = match listener.take() {
            Some(bound) => bound,
            None => again(address).await,
        };
        tokio::select! {
            accepted = bound.accept() => if let Ok((client, _)) = accepted {
                tokio::spawn(connection(client, Arc::clone(&shared)));
            },
            changed = down.changed() => if changed.is_err() { return },
        }
        listener = Some(bound);
    }
}

async fn again(address: SocketAddr) -> TcpListener {
    TcpListener::bind(address)
        .await
        .expect("the same port again")
}

/// How a request ended for its connection.
enum Then {
    GoOn,
    /// Close it with a reset.
    Reset,
    /// Close it in good order.
    Close,
}

async fn connection(client: TcpStream, shared: Arc<Shared>) {
    let mut down = shared.down.subscribe();
    let _ = client.set_nodelay(true);
    let mut client = BufReader::new(client);
    loop {
        let then = tokio::select! {
            then = exchange(&mut client, &shared) => then.unwrap_or(Then::Close),
            _ = down.wait_for(|down| *down) => Then::Reset,
        };
        match then {
            Then::GoOn => {}
            Then::Close => return,
            Then::Reset => {
                let _ = client.get_ref().set_zero_linger();
                return;
            }
        }
    }
}

async fn exchange(client: &mut BufReader<TcpStream>, shared: &Shared) -> io::Result<Then> {
    let Some(mut head) = Head::read(client).await? else {
        return Ok(Then::Close);
    };
    if !shared.state().ahead.is_zero() {
        head.remove("authorization");
    }
    if head.header("expect").is_some() {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    let request = Request::of(&head);
    let length = head.length().unwrap_or(usize::from(head.is_chunked()));
    let fault = shared.strike(&request, length);
    if fault == Some(Fault::ResetInBody) {
        let mut half = vec![0; length / 2];
        let read = client.read_exact(&mut half).await?;
        shared.count(&request.bucket, read, 0);
        return Ok(Then::Reset);
    }
    let mut body = wire::read_body(&head, client, false).await?;
    shared.count(&request.bucket, body.len(), 0);
    let bodiless = head.word(0) == "HEAD";
    let made_up = match fault {
        Some(Fault::Reset) => return Ok(Then::Reset),
        Some(Fault::Stall) => std::future::pending().await,
        Some(Fault::Refuse(status, code)) => Some(wire::refusal(status, code, bodiless)),
        Some(Fault::Pretend) => Some(wire::refusal(200, "", true)),
        Some(Fault::Redirect) => {
            let (mut head, body) = wire::refusal(307, "TemporaryRedirect", bodiless);
            head.add("Location: http://127.0.0.1:9/elsewhere");
            Some((head, body))
        }
        Some(Fault::ErrorIn200(code)) => Some(wire::refusal(200, code, bodiless)),
        _ => repeated(shared, &request),
    };
    if let Some((head, body)) = made_up {
        wire::write(&head, &body, client).await?;
        shared.answered(&request);
        return Ok(Then::GoOn);
    }
    if fault == Some(Fault::FlipUp) {
        flip(&mut body);
    }
    let (mut head, body) = forward(&shared.upstream, &head, &body).await?;
    head.shift_date(shared.state().ahead);
    shared.count(&request.bucket, 0, body.len());
    answer(client, shared, &request, fault, head, body).await
}

/// What the store answers.
async fn forward(upstream: &str, head: &Head, body: &[u8]) -> io::Result<(Head, Vec<u8>)> {
    let mut store = BufReader::new(TcpStream::connect(upstream).await?);
    store.get_ref().set_nodelay(true)?;
    let mut head_to_send = head.clone();
    if head.is_chunked() {
        head_to_send.set_length(body.len());
    }
    // A store that refuses early may close before it has read all; its answer counts.
    let _ = wire::write(&head_to_send, body, &mut store).await;
    loop {
        let Some(answer) = Head::read(&mut store).await? else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        if (100..200).contains(&answer.status()) {
            continue;
        }
        let bodiless = head.word(0) == "HEAD" || matches!(answer.status(), 204 | 304);
        let body = match bodiless {
            true => Vec::new(),
            false => wire::read_body(&answer, &mut store, true).await?,
        };
        return Ok((answer, body));
    }
}

/// Passes the store's answer on, as the fault has it.
async fn answer(
    client: &mut BufReader<TcpStream>,
    shared: &Shared,
    request: &Request,
    fault: Option<Fault>,
    mut head: Head,
    mut body: Vec<u8>,
) -> io::Result<Then> {
    match fault {
        Some(Fault::LoseAnswer) => return Ok(Then::Reset),
        Some(Fault::StallDone) => std::future::pending().await,
        Some(Fault::ErrorIn200Done(code)) => (head, body) = wire::refusal(200, code, false),
        Some(Fault::NameRole) => {
            let text = String::from_utf8_lossy(&body);
            let arn = "<Arn>arn:aws:sts::123456789012:assumed-role/backup/tidelock</Arn>";
            body = text.replace("<Arn></Arn>", arn).into_bytes();
        }
        Some(Fault::FlipDown) => flip(&mut body),
        Some(Fault::ShortenDown) => body.truncate(body.len() / 2),
        Some(Fault::EmptyPage) => body = empty_page(&body),
        Some(Fault::RepeatPage) => {
            body = truncated(&body);
            head.set_length(body.len());
            let page = (head.clone(), body.clone());
            shared.state().repeated.insert(key_of(request), page);
        }
        _ => {}
    }
    let length = body.len();
    if fault == Some(Fault::CutDown) {
        head.set_length(length);
        wire::write(&head, &body[..length / 2], client).await?;
        return Ok(Then::Close);
    }
    // The length of what a HEAD does not send is not its body's.
    if length > 0 || head.is_chunked() || fault == Some(Fault::ShortenDown) {
        head.set_length(length);
    }
    wire::write(&head, &body, client).await?;
    shared.answered(request);
    let closes = head
        .header("connection")
        .is_some_and(|value| value.eq_ignore_ascii_case("close"));
    Ok(if closes { Then::Close } else { Then::GoOn })
}

fn key_of(request: &Request) -> String {
    format!("{} {}", request.operation, request.bucket)
}

fn repeated(shared: &Shared, request: &Request) -> Option<(Head, Vec<u8>)> {
    shared.state().repeated.get(&key_of(request)).cloned()
}

fn flip(body: &mut [u8]) {
    let middle = body.len() / 2;
    if let Some(byte) = body.get_mut(middle) {
        *byte ^= 0x10;
    }
}

/// The page with everything that it lists left out.
fn empty_page(body: &[u8]) -> Vec<u8> {
    let mut text = String::from_utf8_lossy(body).into_owned();
    for element in ["Contents", "Version", "DeleteMarker", "CommonPrefixes"] {
        let (begin, end) = (format!("<{element}>"), format!("</{element}>"));
        while let (Some(from), Some(to)) = (text.find(&begin), text.find(&end)) {
            text.replace_range(from..to + end.len(), "");
        }
    }
    text.into_bytes()
}

/// The page as if more followed.
fn truncated(body: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(body).to_string();
    let more = "<IsTruncated>true</IsTruncated><NextContinuationToken>again</NextContinuationToken>\
                <NextKeyMarker>again</NextKeyMarker><NextVersionIdMarker>again</NextVersionIdMarker>";
    let text = text.replace("<IsTruncated>false</IsTruncated>", more);
    text.into_bytes()
}
