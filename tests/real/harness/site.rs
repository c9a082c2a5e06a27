//! A web site for tests: answers each path as it is told to at the moment, over HTTP or TLS.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// A running site; what it was not told of is 404.
pub struct Site {
    pub addr: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    answers: BTreeMap<String, String>,
    asked: BTreeMap<String, usize>,
    /// The last question for each path, query and all.
    last: BTreeMap<String, String>,
    hosts: Vec<String>,
    over: bool,
}

impl Site {
    pub fn start() -> Self {
        Self::start_at("127.0.0.1")
    }

    /// The same on another address of this machine.
    pub fn start_at(address: &str) -> Self {
        Self::with(address, serve)
    }

    /// The same with TLS, by this configuration.
    pub fn start_tls(config: Arc<rustls::ServerConfig>) -> Self {
        Self::with("127.0.0.1", move |mut stream, state| {
            let Ok(mut session) = rustls::ServerConnection::new(config.clone()) else { return };
            serve(rustls::Stream::new(&mut session, &mut stream), state);
            session.send_close_notify();
            // A client that refused the certificate is gone.
            drop(session.complete_io(&mut stream));
        })
    }

    fn with(address: &str, each: impl Fn(TcpStream, &Mutex<State>) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((address, 0)).expect("loopback has a free port");
        let addr = listener.local_addr().expect("it is bound");
        let state = Arc::new(Mutex::new(State::default()));
        let (shared, each) = (state.clone(), Arc::new(each));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.lock().expect("whole").over {
                    return;
                }
                let (shared, each) = (shared.clone(), each.clone());
                thread::spawn(move || {
                    // A client that says nothing must not keep a thread.
                    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout can be set");
                    each(stream, &shared);
                });
            }
        });
        Self { addr, state }
    }

    /// Answers a path with a status and a body from here on.
    pub fn says(&self, path: &str, status: u16, body: &str) {
        self.raw(path, &format!("HTTP/1.1 {status} Said\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()));
    }

    /// Leads from a path to a URL.
    pub fn leads(&self, path: &str, to: &str) {
        self.raw(path, &format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
    }

    /// Takes the question and never answers.
    pub fn hangs(&self, path: &str) {
        self.raw(path, "");
    }

    fn raw(&self, path: &str, answer: &str) {
        self.state.lock().expect("whole").answers.insert(path.to_owned(), answer.to_owned());
    }

    /// How often a path was asked for.
    pub fn asked(&self, path: &str) -> usize {
        self.state.lock().expect("whole").asked.get(path).copied().unwrap_or(0)
    }

    /// The query of the last question for a path.
    pub fn query(&self, path: &str) -> String {
        let last = self.state.lock().expect("whole").last.get(path).cloned().unwrap_or_default();
        last.split_once('?').map(|(_, query)| query.to_owned()).unwrap_or_default()
    }

    /// Whom it was asked for, once each, in the order of the first question.
    pub fn hosts(&self) -> Vec<String> {
        self.state.lock().expect("whole").hosts.clone()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.state.lock().expect("whole").over = true;
        // Wakes the listener, which sees that it is over.
        drop(TcpStream::connect(self.addr));
    }
}

fn serve(mut stream: impl Read + Write, state: &Mutex<State>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            Ok(_) | Err(_) => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let (method, target) = head.split_once(' ').unwrap_or_default();
    let path = target.split([' ', '?']).next().unwrap_or_default().to_owned();
    let answer = {
        let mut state = state.lock().expect("whole");
        let host = head.lines().find_map(|line| line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("host"))).map(|(_, host)| host.to_owned());
        let host = host.filter(|host| !state.hosts.contains(host));
        state.hosts.extend(host);
        *state.asked.entry(path.clone()).or_default() += 1;
        state.last.insert(path.clone(), target.split(' ').next().unwrap_or_default().to_owned());
        state.answers.get(&path).cloned().unwrap_or_else(|| "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned())
    };
    if answer.is_empty() {
        // Until the client goes.
        drop(stream.read(&mut byte));
        return;
    }
    let answer = if method == "HEAD" { answer.split_inclusive("\r\n\r\n").next().unwrap_or_default().to_owned() } else { answer };
    drop(stream.write_all(answer.as_bytes()));
    drop(stream.flush());
}
