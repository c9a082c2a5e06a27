//! A question to a name server as any client would put it: no key, no cache, nothing of trueup in between.

use hickory_proto::{
    op::{Message, MessageType, OpCode, Query},
    rr::{Name, RecordType},
};
use std::{net::SocketAddr, str::FromStr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Long on loopback: a server that takes longer is down.
const PATIENCE: Duration = Duration::from_secs(5);

/// The data of the records a server answers with, as text, sorted.
pub async fn ask(server: SocketAddr, name: &str, rtype: &str) -> anyhow::Result<Vec<String>> {
    Ok(lookup(server, name, rtype).await?.values)
}

/// What a server answers, and how long it may be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The data of the records, as text, sorted; empty where there are none.
    pub values: Vec<String>,
    /// The shortest TTL of them; zero where there are none.
    pub ttl: Duration,
}

/// Asks for the records of a name and type.
pub async fn lookup(server: SocketAddr, name: &str, rtype: &str) -> anyhow::Result<Answer> {
    let rtype = RecordType::from_str(rtype).map_err(|error| anyhow::anyhow!("{rtype} is no record type: {error}"))?;
    let mut message = Message::new(1, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(Name::from_ascii(name)?, rtype));
    let answer = tokio::time::timeout(PATIENCE, exchange(server, &message.to_vec()?)).await??;
    let answer = Message::from_vec(&answer)?;
    let found = || answer.answers.iter().filter(|record| record.record_type() == rtype);
    let mut values: Vec<String> = found().map(|record| record.data.to_string()).collect();
    values.sort();
    Ok(Answer { values, ttl: Duration::from_secs(found().map(|record| record.ttl).min().unwrap_or(0).into()) })
}

async fn exchange(server: SocketAddr, message: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(message.len()).map_err(std::io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), message].concat()).await?;
    let mut length = [0; 2];
    stream.read_exact(&mut length).await?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}
