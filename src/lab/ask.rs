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
    let rtype = RecordType::from_str(rtype).map_err(|error| anyhow::anyhow!("{rtype} is no record type: {error}"))?;
    let mut message = Message::new(1, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(Name::from_ascii(name)?, rtype));
    let answer = tokio::time::timeout(PATIENCE, exchange(server, &message.to_vec()?)).await??;
    let answer = Message::from_vec(&answer)?;
    let mut found: Vec<String> = answer.answers.iter().filter(|record| record.record_type() == rtype).map(|record| record.data.to_string()).collect();
    found.sort();
    Ok(found)
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
