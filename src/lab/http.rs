//! As much of HTTP as the shop speaks: a server that answers every request with one function, and a question on a connection of its own.

use axum::{
    Router,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

/// Answers longer than this are none of the shop's.
const LONGEST: u64 = 64 * 1024;

/// Long on loopback, and short enough that somebody waits for the end of it.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server on loopback; dropping it ends it, and what it has begun to answer is answered.
pub(super) struct Serving {
    pub addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Serving {
    /// Answers on `listener` what `answer` gives, until stopped.
    pub fn start<A, F>(listener: TcpListener, answer: A) -> io::Result<Self>
    where
        A: Fn() -> F + Clone + Send + Sync + 'static,
        F: Future<Output = (StatusCode, String)> + Send + 'static,
    {
        let addr = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let router = Router::new().fallback(move || {
            let answered = answer();
            async move { respond(answered.await) }
        });
        let task = tokio::spawn(async move {
            // It ends when asked to; what a client does on its connection is no error of the server.
            let _ = axum::serve(listener, router)
                .with_graceful_shutdown(async move {
                    let _ = stopped.await;
                })
                .await;
        });
        Ok(Self { addr, stop: Some(stop), task })
    }

    /// Takes no more connections; on return what was begun is answered and the port is closed.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        // It was not cancelled and its work does not panic; either way the port is closed.
        let _ = (&mut self.task).await;
    }
}

fn respond(answer: (StatusCode, String)) -> Response {
    answer.into_response()
}

/// What a server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub status: u16,
    pub body: String,
}

/// Asks once, on a new connection that is closed afterwards; an answer that is cut short is an error.
pub(super) async fn get(addr: SocketAddr, host: &str) -> io::Result<Reply> {
    let exchange = async {
        let mut stream = TcpStream::connect(addr).await?;
        stream.write_all(format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes()).await?;
        let mut bytes = Vec::new();
        stream.take(LONGEST).read_to_end(&mut bytes).await?;
        read(&bytes)
    };
    tokio::time::timeout(PATIENCE, exchange).await.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer in {}s", PATIENCE.as_secs()))))
}

fn read(bytes: &[u8]) -> io::Result<Reply> {
    let fault = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let text = std::str::from_utf8(bytes).map_err(|_| fault("the answer is no text"))?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| fault("the answer was cut short"))?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok()).ok_or_else(|| fault("the answer has no status"))?;
    let length = lines.filter_map(|line| line.split_once(':')).find(|(name, _)| name.eq_ignore_ascii_case("content-length")).map(|(_, length)| length.trim().parse::<usize>());
    if !matches!(length, Some(Ok(length)) if length == body.len()) {
        return Err(fault("the answer was cut short"));
    }
    Ok(Reply { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::{Reply, read};

    #[test]
    fn an_answer_that_is_cut_short_is_no_answer() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(read(whole).ok(), Some(Reply { status: 200, body: "hello".into() }));
        for cut in 0..whole.len() {
            assert!(read(&whole[..cut]).is_err(), "{cut}");
        }
        assert!(read(b"HTTP/1.1 200 OK\r\n\r\nhello").is_err(), "without a length nobody knows whether it is whole");
    }
}
