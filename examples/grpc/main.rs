//! Run with `cargo run --example grpc`.
//!
//! tonic with a layer, an interceptor and a service. The interceptor knows the user and sets it; the methods read it,
//! and so does every message of a stream, when the method has long returned. It replaces extensions, which an
//! interceptor fills and each method has to take from its request and pass on. `generated.rs` stands for what
//! tonic-build makes of a `.proto`.

mod generated;
#[path = "../shared/mod.rs"]
mod shared;

use std::process::ExitCode;

use axum::BoxError;
use futures_util::stream;
use tokio::{
    net::TcpListener,
    sync::broadcast::{self, error::RecvError},
};
use tonic::{
    Request, Response, Status,
    codegen::BoxStream,
    service::InterceptorLayer,
    transport::{Server, server::TcpIncoming},
};
use tower_request_context::{RequestContext, RequestContextLayer};

pub(crate) use self::generated::CatsClient;
use self::{
    generated::{Cats, CatsServer},
    shared::say,
};

/// Who calls: set by the interceptor.
#[derive(Clone)]
struct User(&'static str);

/// Sessions of a demo: a real token is signed, or looked up.
const SESSIONS: [(&str, User); 2] = [("Bearer meow", User("ada")), ("Bearer purr", User("grace"))];

fn authenticate(call: Request<()>) -> Result<Request<()>, Status> {
    let mut tokens = call.metadata().get_all("authorization").iter();
    // Exactly one: with two, this server would read one of them, and a proxy may have checked the other.
    let (Some(token), None) = (tokens.next(), tokens.next()) else {
        return Err(Status::unauthenticated("who are you?"));
    };
    let session = SESSIONS.into_iter().find(|(known, _)| token == known);
    let (_, user) = session.ok_or_else(|| Status::unauthenticated("this session is over"))?;
    RequestContext::set(user).map_err(|error| Status::internal(error.to_string()))?;
    Ok(call)
}

/// A house of cats, and the news of it.
#[derive(Clone)]
struct House(broadcast::Sender<String>);

#[tonic::async_trait]
impl Cats for House {
    async fn feed(&self, request: Request<String>) -> Result<Response<String>, Status> {
        let news = format!("{} was fed by {}", request.into_inner(), user()?);
        let _ = self.0.send(news.clone()); // an error says that nobody watches
        Ok(Response::new(news))
    }

    async fn watch(&self, _: Request<()>) -> Result<Response<BoxStream<String>>, Status> {
        let news = stream::unfold(self.0.subscribe(), async |mut news| match news.recv().await {
            Ok(text) => Some((told(&text), news)),
            Err(RecvError::Lagged(missed)) => Some((Err(Status::data_loss(format!("{missed} missed"))), news)),
            Err(RecvError::Closed) => None,
        });
        Ok(Response::new(Box::pin(news)))
    }
}

/// News of another user's call, as it is told to the user of this one.
fn told(news: &str) -> Result<String, Status> {
    Ok(format!("dear {}, {news}", user()?))
}

fn user() -> Result<&'static str, Status> {
    match RequestContext::try_get() {
        Ok(User(name)) => Ok(name),
        Err(error) => Err(Status::internal(error.to_string())),
    }
}

/// Serves until `stop`, and then until all connections are closed. tonic sets no limit to that, even if a client has not
/// sent a byte since it connected; [`shared`] does.
pub(crate) async fn serve(listener: TcpListener, stop: impl Future<Output = ()>) -> Result<(), BoxError> {
    let server = Server::builder()
        .layer(RequestContextLayer::default()) // the first is the outermost
        .layer(InterceptorLayer::new(authenticate))
        .add_service(CatsServer::new(House(broadcast::channel(16).0)));
    Ok(server.serve_with_incoming_shutdown(TcpIncoming::from(listener), stop).await?)
}

#[tokio::main]
async fn main() -> ExitCode {
    shared::serve_with(serve, async |visitor| {
        let server = format!("http://{}", visitor.address);
        let ada = CatsClient::connect(&server, "Bearer meow").await?;
        let grace = CatsClient::connect(&server, "Bearer purr").await?;
        let (mut adas, mut graces) = (ada.watch().await?, grace.watch().await?);
        for (cat, client) in [("Tom", &ada), ("Rex", &grace)] {
            say(format_args!("feed: {}", client.feed(cat).await?))?;
            for stream in [&mut adas, &mut graces] {
                say(format_args!("watch: {}", stream.message().await?.ok_or("the news have ended")?))?;
            }
        }
        let stranger = CatsClient::connect(&server, "Bearer woof").await?;
        say(stranger.feed("Tom").await.err().ok_or("a stranger was let in")?)?;
        Ok(())
    })
    .await
}
