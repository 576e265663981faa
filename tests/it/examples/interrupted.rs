//! Ctrl-C while clients keep their connections.

use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    example::{Example, demos},
    support::in_time,
};

/// The bytes that clients have sent before they stop reading and writing. The server replies to the last client
/// immediately, so it has accepted all of them by then.
const SENT: [&str; 6] = [
    "",
    "GET /unfinished",
    "PRI * HTTP/2.0",
    "GET / HTTP/1.1\r\nhost: cats\r\n\r\n",
    "GET /events HTTP/1.1\r\nhost: cats\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", // with empty settings
];

#[tokio::test]
async fn every_example_stops_on_ctrl_c_despite_open_connections() {
    let stopped = join_all(demos().map(async |name| {
        let mut serving = Example(&name).serve();
        let address = serving.address().await;
        let mut connections = Vec::new();
        for bytes in SENT {
            let mut connection = TcpStream::connect(address).await.unwrap();
            connection.write_all(bytes.as_bytes()).await.unwrap();
            connections.push(connection);
        }
        let replied = connections.last_mut().unwrap().read_u8();
        in_time(replied).await.unwrap();
        let status = in_time(serving.interrupt()).await;
        drop(connections);
        (status.code(), name)
    }));
    for (code, name) in stopped.await {
        assert_eq!(code, Some(0), "{name}");
    }
}
