//! One TCP connection to a name server: framed messages, signed and verified, one by one, pipelined or streamed.
//!
//! Written over hickory's messages and not over its client, because a driver must tell apart what the client folds
//! together: not connected (nothing happened), sent without an answer (it may have happened), and a key refused.
//! Every message is signed, questions too, so that a server that picks its view by key shows the right one.

use super::{
    config::Timeouts,
    encode::{plain, unsendable},
};
use crate::ports::Clock;
use hickory_proto::{
    op::{Message, ResponseCode},
    rr::{
        TSigner,
        rdata::tsig::{TSIG, TsigError, make_tsig_record, signed_bitmessage_to_buf},
    },
    serialize::binary::BinEncoder,
};
use std::{
    collections::BTreeMap,
    future::Future,
    io,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// What an exchange came to, when it came to no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {advice}")]
pub(super) struct WireError {
    pub kind: WireErrorKind,
    /// A lowercase fragment: what happened.
    pub what: String,
    /// A lowercase fragment: what to do next.
    pub advice: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WireErrorKind {
    /// No connection: nothing was sent.
    Unreachable,
    /// The message cannot be encoded: nothing was sent.
    Unsendable,
    /// Sent, and no answer came: it may have happened.
    Lost,
    /// The server does not accept the key.
    Denied,
    /// The answer made no sense, or its signature does not hold.
    Broken,
}

impl WireError {
    pub fn new(kind: WireErrorKind, what: impl Into<String>, advice: &'static str) -> Self {
        Self { kind, what: what.into(), advice }
    }
}

/// Messages between two signed ones of a transfer may be unsigned; RFC 8945 §5.3.1 ends their row at 99.
const UNSIGNED_IN_A_ROW: usize = 99;

/// An open connection; dropping it closes it.
pub(super) struct Conn {
    clock: Arc<dyn Clock>,
    read: OwnedReadHalf,
    write: OwnedWriteHalf,
    signer: Option<TSigner>,
    address: String,
    answer: Duration,
    deadline: Instant,
    next_id: u16,
}

impl Conn {
    /// Connects; on return nothing has been sent. `deadline` cuts every later wait.
    pub async fn open(address: &str, signer: Option<TSigner>, clock: Arc<dyn Clock>, timeouts: Timeouts, deadline: Instant) -> Result<Self, WireError> {
        let unreachable =
            |why: String| WireError::new(WireErrorKind::Unreachable, format!("no connection to {address}: {why}"), "check that the server runs and that this host may reach it");
        let stream = within(timeouts.connect, deadline, TcpStream::connect(address)).await.map_err(|why| unreachable(why.to_string()))?;
        // Messages are written whole, so waiting to gather more bytes only adds a round trip.
        stream.set_nodelay(true).map_err(|why| unreachable(why.to_string()))?;
        let (read, write) = stream.into_split();
        Ok(Self { clock, read, write, signer, address: address.to_owned(), answer: timeouts.answer, deadline, next_id: 1 })
    }

    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Sends one message and waits for its answer, which is verified when there is a key.
    pub async fn ask(&mut self, message: Message) -> Result<Message, WireError> {
        let octets = encoded(&message)?;
        self.ask_raw(octets).await
    }

    /// The same for a message that is encoded already, its id left to us.
    pub async fn ask_raw(&mut self, octets: Vec<u8>) -> Result<Message, WireError> {
        let (id, bytes, mut chain) = self.seal(octets)?;
        self.send(&bytes).await?;
        loop {
            let (answer, raw) = self.receive().await?;
            if answer.metadata.id == id {
                check(chain.as_mut(), &answer, &raw, &self.address)?;
                return Ok(answer);
            }
        }
    }

    /// Sends all messages without waiting between them; the answers come back in the order asked.
    pub async fn ask_all(&mut self, messages: Vec<Message>) -> Result<Vec<Message>, WireError> {
        let mut frames = Vec::new();
        let mut order = Vec::with_capacity(messages.len());
        let mut open = BTreeMap::new();
        for message in messages {
            let (id, bytes, chain) = self.seal(encoded(&message)?)?;
            frame(&mut frames, &bytes)?;
            order.push(id);
            open.insert(id, chain);
        }
        let Self { read, write, address, answer, deadline, .. } = self;
        let sending = async { write.write_all(&frames).await.map_err(|why| lost(address, &why.to_string())) };
        let receiving = async {
            let mut answers = BTreeMap::new();
            while !open.is_empty() {
                let (message, raw) = receive(read, address, *answer, *deadline).await?;
                if let Some(mut chain) = open.remove(&message.metadata.id) {
                    check(chain.as_mut(), &message, &raw, address)?;
                    answers.insert(message.metadata.id, message);
                }
            }
            Ok(answers)
        };
        // Both at once: a server that answers while we still write must not find our buffer full.
        let ((), mut answers) = tokio::try_join!(sending, receiving)?;
        Ok(order.iter().filter_map(|id| answers.remove(id)).collect())
    }

    /// Sends one question and hands every message of its answer to `each` until that says it was the last.
    pub async fn stream(&mut self, message: Message, mut each: impl FnMut(Message) -> Result<bool, WireError>) -> Result<(), WireError> {
        let (id, bytes, mut chain) = self.seal(encoded(&message)?)?;
        self.send(&bytes).await?;
        let mut first = true;
        loop {
            let (answer, raw) = self.receive().await?;
            if answer.metadata.id != id {
                continue;
            }
            let signed = answer.signature.is_some();
            let refused = is_refusal(answer.metadata.response_code);
            match &mut chain {
                Some(chain) if !signed && !first && answer.metadata.response_code == ResponseCode::NoError => chain.skip(&raw, &self.address)?,
                chain => check(chain.as_mut(), &answer, &raw, &self.address)?,
            }
            first = false;
            if each(answer)? {
                return if signed || refused || chain.is_none() { Ok(()) } else { Err(unsigned(&self.address)) };
            }
        }
    }

    /// Numbers and signs a message (RFC 8945 §5.1).
    fn seal(&mut self, mut bytes: Vec<u8>) -> Result<(u16, Vec<u8>, Option<Chain>), WireError> {
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        if let Some(place) = bytes.first_chunk_mut::<2>() {
            *place = id.to_be_bytes();
        }
        let Some(signer) = &self.signer else { return Ok((id, bytes, None)) };
        let stub = TSIG::new(signer.algorithm().clone(), seconds(&*self.clock), signer.fudge(), Vec::new(), id, None, Vec::new());
        let mut covered = bytes.clone();
        let end = covered.len();
        let mut encoder = BinEncoder::with_offset(&mut covered, end as u32);
        stub.emit_tsig_for_mac(&mut encoder, signer.signer_name()).map_err(|why| unsendable(why.to_string()))?;
        let mac = signer.sign(&covered).map_err(|why| unsendable(why.to_string()))?;
        bytes.extend(plain(&make_tsig_record(signer.signer_name().clone(), stub.set_mac(mac.clone())))?);
        // One more additional record, counted in the last word of the header.
        if let Some(count) = bytes.get_mut(10..12) {
            let more = u16::from_be_bytes([count[0], count[1]]).saturating_add(1);
            count.copy_from_slice(&more.to_be_bytes());
        }
        Ok((id, bytes, Some(Chain { clock: self.clock.clone(), signer: signer.clone(), mac, first: true, unsigned: Vec::new(), unsigned_count: 0 })))
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        let mut out = Vec::with_capacity(bytes.len() + 2);
        frame(&mut out, bytes)?;
        within(self.answer, self.deadline, self.write.write_all(&out)).await.map_err(|why| lost(&self.address, &why.to_string()))
    }

    async fn receive(&mut self) -> Result<(Message, Vec<u8>), WireError> {
        receive(&mut self.read, &self.address, self.answer, self.deadline).await
    }
}

/// The state that verifies the answers to one signed message (RFC 8945 §5.3).
struct Chain {
    clock: Arc<dyn Clock>,
    signer: TSigner,
    /// Of the last signed message: the question, then each signed answer.
    mac: Vec<u8>,
    first: bool,
    /// The unsigned messages since, which the next signature covers.
    unsigned: Vec<u8>,
    unsigned_count: usize,
}

impl Chain {
    fn skip(&mut self, raw: &[u8], address: &str) -> Result<(), WireError> {
        self.unsigned.extend_from_slice(raw);
        self.unsigned_count += 1;
        if self.unsigned_count > UNSIGNED_IN_A_ROW { Err(unsigned(address)) } else { Ok(()) }
    }

    fn verify(&mut self, raw: &[u8], address: &str) -> Result<(), WireError> {
        let broken = |what: &str| WireError::new(WireErrorKind::Broken, format!("the answer of {address} {what}"), "check what stands between this host and the server");
        let (mut covered, record) = signed_bitmessage_to_buf(raw, Some(&self.mac), self.first).map_err(|_| broken("has no readable signature"))?;
        // hickory lays out length, previous mac, message: what was unsigned belongs between the last two.
        covered.splice(2 + self.mac.len()..2 + self.mac.len(), self.unsigned.drain(..));
        let tsig = &record.data;
        if record.name != *self.signer.signer_name() || tsig.algorithm != *self.signer.algorithm() {
            return Err(broken("is signed with another key"));
        }
        // A truncated signature is none to `verify`, which compares at full length.
        if self.signer.verify(&covered, &tsig.mac).is_err() {
            return Err(broken("carries a signature that does not hold"));
        }
        if tsig.time.abs_diff(seconds(&*self.clock)) > u64::from(tsig.fudge) {
            return Err(WireError::new(WireErrorKind::Denied, clocks(address, tsig.time, seconds(&*self.clock)), SET_THE_CLOCK));
        }
        self.mac = tsig.mac.clone();
        self.first = false;
        self.unsigned_count = 0;
        Ok(())
    }
}

/// Verifies one answer. A refusal may be unsigned (a server that does not know the zone need not know the key); what says that something happened may not.
fn check(chain: Option<&mut Chain>, answer: &Message, raw: &[u8], address: &str) -> Result<(), WireError> {
    let Some(chain) = chain else { return Ok(()) };
    let Some(record) = &answer.signature else {
        return if is_refusal(answer.metadata.response_code) { Ok(()) } else { Err(unsigned(address)) };
    };
    if let Some(error) = record.data.error {
        let key = chain.signer.signer_name();
        let (what, advice) = match error {
            TsigError::BadSig => (format!("{address} knows the TSIG key `{key}` but not this secret"), "compare the secret and the algorithm with the server's"),
            TsigError::BadKey => (
                format!("{address} does not know the TSIG key `{key}` with this algorithm, or does not let it do this"),
                "compare the name and the algorithm with the server's, and look at what it allows the key",
            ),
            TsigError::BadTime => (clocks(address, server_time(&record.data), seconds(&*chain.clock)), SET_THE_CLOCK),
            TsigError::BadTrunc => (format!("{address} wants longer signatures for the TSIG key `{key}`"), "use hmac-sha256 or stronger"),
            TsigError::Unknown(code) => (format!("{address} refuses the TSIG key `{key}` with error {code}"), "look into the server's log"),
        };
        return Err(WireError::new(WireErrorKind::Denied, what, advice));
    }
    chain.verify(raw, address)
}

/// Whether a code says that the server did nothing.
fn is_refusal(code: ResponseCode) -> bool {
    use ResponseCode as R;
    match code {
        R::NoError | R::NXDomain | R::YXDomain | R::YXRRSet | R::NXRRSet => false,
        R::FormErr | R::ServFail | R::NotImp | R::Refused | R::NotAuth | R::NotZone => true,
        R::BADVERS | R::BADSIG | R::BADKEY | R::BADTIME | R::BADMODE | R::BADNAME | R::BADALG | R::BADTRUNC | R::BADCOOKIE | R::Unknown(_) => true,
    }
}

fn unsigned(address: &str) -> WireError {
    WireError::new(WireErrorKind::Broken, format!("{address} answers without a signature"), "give the server this TSIG key, or check what stands between")
}

fn lost(address: &str, why: &str) -> WireError {
    WireError::new(WireErrorKind::Lost, format!("no answer from {address}: {why}"), "observe again before anything is sent twice")
}

fn encoded(message: &Message) -> Result<Vec<u8>, WireError> {
    message.to_vec().map_err(|why| unsendable(why.to_string()))
}

fn frame(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), WireError> {
    let len = u16::try_from(bytes.len()).map_err(|_| unsendable("it is longer than 64 KiB".into()))?;
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

async fn receive(read: &mut OwnedReadHalf, address: &str, answer: Duration, deadline: Instant) -> Result<(Message, Vec<u8>), WireError> {
    let whole = async {
        let mut len = [0; 2];
        read.read_exact(&mut len).await?;
        let mut raw = vec![0; usize::from(u16::from_be_bytes(len))];
        read.read_exact(&mut raw).await?;
        Ok(raw)
    };
    let raw = within(answer, deadline, whole).await.map_err(|why| lost(address, &why.to_string()))?;
    let message =
        Message::from_vec(&raw).map_err(|why| WireError::new(WireErrorKind::Broken, format!("the answer of {address} cannot be read: {why}"), "look at it with `dig`"))?;
    Ok((message, raw))
}

/// Waits for `work` at most `limit` and never past `deadline`.
async fn within<T>(limit: Duration, deadline: Instant, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let limit = limit.min(deadline.saturating_duration_since(Instant::now()));
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "it took too long")),
    }
}

const SET_THE_CLOCK: &str = "set the clock of this host or of the server, and retry";

/// Which clock is ahead of which, for whoever sets one.
fn clocks(address: &str, theirs: u64, ours: u64) -> String {
    let (by, where_to) = (theirs.abs_diff(ours), if ours > theirs { "ahead of" } else { "behind" });
    match by {
        // A server that does not say its own time.
        0 => format!("the clock of this host and that of {address} differ by more than TSIG allows"),
        by => format!("the clock of this host is {by}s {where_to} that of {address}, which is more than TSIG allows"),
    }
}

/// A server that refuses a time says its own in the other data (RFC 8945 §5.2.3).
fn server_time(tsig: &TSIG) -> u64 {
    match tsig.other.as_slice() {
        six @ [_, _, _, _, _, _] => six.iter().fold(0, |time, byte| time << 8 | u64::from(*byte)),
        _ => tsig.time,
    }
}

/// Seconds since 1970, which TSIG compares with the server's.
fn seconds(clock: &dyn Clock) -> u64 {
    u64::try_from(clock.now().0 / 1000).unwrap_or(0)
}
