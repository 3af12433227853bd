//! A name server on loopback, over UDP and TCP, that answers what a case says.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// What is answered to one question of each type.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Records, for so many seconds.
    Records(Vec<(Name, RData)>, u32),
    /// As that; over UDP only that there are too many.
    Long(Vec<(Name, RData)>),
    Code(ResponseCode),
    Garbage,
    Silence,
}

/// Replies by name and type; the last one stays.
type Script = HashMap<(String, RecordType), VecDeque<Reply>>;

#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) address: SocketAddr,
    script: Arc<Mutex<Script>>,
    asked: Arc<Mutex<Vec<(String, RecordType)>>>,
}

impl Names {
    pub(crate) async fn start() -> Self {
        let (udp, tcp) = loop {
            let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
                break (udp, tcp);
            }
        };
        let address = tcp.local_addr().unwrap();
        let names = Self { address, script: Arc::default(), asked: Arc::default() };
        tokio::spawn(names.clone().over_udp(udp));
        tokio::spawn(names.clone().over_tcp(tcp));
        names
    }

    /// From now on these are the replies for a name.
    pub(crate) fn say(&self, name: &str, replies: &[Reply]) {
        for of in [RecordType::A, RecordType::AAAA] {
            let replies = replies.iter().cloned().collect();
            self.script.lock().unwrap().insert((name.to_owned(), of), replies);
        }
    }

    /// How often an address of this name was asked for, by whatever name it was.
    pub(crate) fn asked(&self, name: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(asked, of)| asked.starts_with(name) && *of == RecordType::A).count()
    }

    async fn over_udp(self, socket: UdpSocket) {
        let mut packet = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut packet).await {
            if let Some(answer) = self.answer(&packet[..length], Transport::Udp) {
                let _ = socket.send_to(&answer, from).await;
            }
        }
    }

    async fn over_tcp(self, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(self.clone().connection(stream));
        }
    }

    async fn connection(self, mut stream: TcpStream) {
        while let Ok(length) = stream.read_u16().await {
            let mut packet = vec![0; length.into()];
            let Ok(_) = stream.read_exact(&mut packet).await else { return };
            let Some(answer) = self.answer(&packet, Transport::Tcp) else { continue };
            let _ = stream.write_u16(answer.len().try_into().unwrap()).await;
            let _ = stream.write_all(&answer).await;
        }
    }

    fn answer(&self, packet: &[u8], over: Transport) -> Option<Vec<u8>> {
        let question = Message::from_vec(packet).unwrap();
        let query = question.queries[0].clone();
        let name = query.name().to_ascii().trim_end_matches('.').to_owned();
        let mut message = Message::response(question.metadata.id, OpCode::Query);
        message.add_query(query.clone());
        message.metadata.recursion_available = true;
        match self.next(&name, query.query_type(), over) {
            Reply::Silence => return None,
            Reply::Garbage => return Some([&packet[..2], b"garbage that is no message"].concat()),
            Reply::Code(code) => message.metadata.response_code = code,
            Reply::Long(_) if over == Transport::Udp => message.metadata.truncation = true,
            Reply::Records(records, ttl) => records_into(&mut message, &records, ttl),
            Reply::Long(records) => records_into(&mut message, &records, 0),
        }
        Some(message.to_vec().unwrap())
    }

    fn next(&self, name: &str, of: RecordType, over: Transport) -> Reply {
        let mut script = self.script.lock().unwrap();
        let Some(replies) = script.get_mut(&(name.to_owned(), of)) else {
            return Reply::Code(ResponseCode::NXDomain);
        };
        let stays = replies.len() == 1 || (over == Transport::Udp && matches!(replies[0], Reply::Long(_)));
        self.asked.lock().unwrap().push((name.to_owned(), of));
        if stays { replies[0].clone() } else { replies.pop_front().unwrap() }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Transport {
    Udp,
    Tcp,
}

/// Those that were asked for, and aliases.
fn records_into(message: &mut Message, records: &[(Name, RData)], ttl: u32) {
    let of = message.queries[0].query_type();
    let fits = |data: &RData| data.record_type() == of || data.record_type() == RecordType::CNAME;
    let records = records.iter().filter(|(_, data)| fits(data));
    message.add_answers(records.map(|(name, data)| Record::from_rdata(name.clone(), ttl, data.clone())));
}

/// Addresses of a name.
pub(crate) fn addresses(name: &str, ips: &[&str]) -> Vec<(Name, RData)> {
    let record = |ip: &&str| (fully(name), RData::from(ip.parse::<IpAddr>().unwrap()));
    ips.iter().map(record).collect()
}

/// The name in full, as records have it.
pub(crate) fn fully(name: &str) -> Name {
    Name::from_ascii(format!("{name}.")).unwrap()
}
