//! How requests end, over real sockets: a row a test, each under axum and under plain hyper, on HTTP/1.1 and HTTP/2.
//!
//! A row says what is served, what the client does, and what end the request is to have. It is checked against all that
//! was reported of that request until its server was gone: what it consisted of is dropped, then the callback is called,
//! once, both as the request's user; then the values of the store are dropped.

mod answers;
mod cancelled;
mod clients;
mod completed;
mod drops;
mod failed;
mod grpc;
mod heads;
mod hints;
mod layers;
mod lengths;
mod panicked;
mod ranges;
mod row;
mod visit;

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
