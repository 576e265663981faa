//! How requests end, over real sockets. Each test is a row, run under axum and plain hyper, on HTTP/1.1 and HTTP/2.
//!
//! A row says what is served, what the client does, and which [`End`](tower_request_context::End) the request must
//! have. The row compares this with all reports of the request until its server is gone. First the parts of the request
//! are dropped and the callback is called once, both in the request's context. Then the values of the store are
//! dropped.

mod cancelled;
mod clients;
mod completed;
mod drops;
mod failed;
mod grpc;
mod hints;
mod layers;
mod lengths;
mod panicked;
mod ranges;
mod response_parts;
mod responses;
mod row;
mod session;

macro_rules! rows {
    ($($name:ident: $row:expr, $client:expr => $end:ident;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                $row.ends($client, tower_request_context::End::$end).await;
            }
        )*
    };
}

use rows;
