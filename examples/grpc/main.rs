//! Run with `cargo run --example grpc`.
//!
//! tonic with the layer, an interceptor and a service. The interceptor authenticates the request and sets the user. The
//! methods read it, and so does each message of a response stream, after the method has returned. Without this
//! crate, the interceptor would have to insert an extension, and each method would have to pass it on.
//!
//! `cats.rs` is written by hand. It stands for the code that tonic-prost-build generates from a `.proto` file.

mod cats;
#[path = "../shared/mod.rs"]
mod shared;

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
use tower_request_context::{ContextError, RequestContext, RequestContextLayer};

pub(crate) use self::cats::CatsClient;
use self::{
    cats::{Cats, CatsServer},
    shared::{Demo, print},
};

/// The user of a request. The interceptor sets it.
#[derive(Clone)]
struct User(&'static str);

/// The users by their tokens. Real tokens are signed, or looked up in a database.
const SESSIONS: [(&str, User); 2] = [("Bearer meow", User("ada")), ("Bearer purr", User("grace"))];

fn authenticate(request: Request<()>) -> Result<Request<()>, Status> {
    let mut tokens = request.metadata().get_all("authorization").iter();
    // Exactly one: with two, this server might read one of them after a proxy has checked the other.
    let (Some(token), None) = (tokens.next(), tokens.next()) else {
        return Err(Status::unauthenticated("send exactly one `authorization`"));
    };
    let session = SESSIONS.into_iter().find(|(known, _)| token == known);
    let (_, user) = session.ok_or_else(|| Status::unauthenticated("unknown session"))?;
    RequestContext::set(user).map_err(|error| internal(&error))?;
    Ok(request)
}

/// The service. Its channel sends a message for each fed cat.
#[derive(Clone)]
struct CatsService(broadcast::Sender<String>);

#[tonic::async_trait]
impl Cats for CatsService {
    async fn feed(&self, request: Request<String>) -> Result<Response<String>, Status> {
        let message = format!("{} was fed by {}", request.into_inner(), user()?);
        let _ = self.0.send(message.clone()); // an error means that there are no subscribers
        Ok(Response::new(message))
    }

    async fn watch(&self, _: Request<()>) -> Result<Response<BoxStream<String>>, Status> {
        let messages = stream::unfold(self.0.subscribe(), async |mut messages| match messages.recv().await {
            Ok(message) => Some((addressed(&message), messages)),
            Err(RecvError::Lagged(missed)) => Some((Err(Status::data_loss(format!("{missed} missed"))), messages)),
            Err(RecvError::Closed) => None,
        });
        Ok(Response::new(Box::pin(messages)))
    }
}

/// Called when the message is sent, in the context of the request that receives it.
fn addressed(message: &str) -> Result<String, Status> {
    Ok(format!("to {}: {message}", user()?))
}

fn user() -> Result<&'static str, Status> {
    match RequestContext::try_get() {
        Ok(User(name)) => Ok(name),
        Err(error) => Err(internal(&error)),
    }
}

/// The message of the error is for the log, not for the client.
fn internal(error: &ContextError) -> Status {
    eprintln!("{error}");
    Status::internal("internal error")
}

/// Serves until `stop` completes, and then until all connections are closed. tonic sets no time limit for that, even
/// for a client that has not sent a byte. [`shared`] sets one.
pub(crate) async fn serve(listener: TcpListener, stop: impl Future<Output = ()>) -> Result<(), BoxError> {
    let server = Server::builder()
        .layer(RequestContextLayer::default()) // the first layer is outermost
        .layer(InterceptorLayer::new(authenticate))
        .add_service(CatsServer::new(CatsService(broadcast::channel(16).0)));
    Ok(server.serve_with_incoming_shutdown(TcpIncoming::from(listener), stop).await?)
}

#[tokio::main]
async fn main() -> Result<(), shared::Error> {
    let (listener, demo) = Demo::listen().await?;
    let server = serve(listener, demo.shutdown_signal());
    demo.run(server, async |client| {
        let address = format!("http://{}", client.address);
        let ada = CatsClient::connect(&address, "Bearer meow").await?;
        let grace = CatsClient::connect(&address, "Bearer purr").await?;
        let (mut adas, mut graces) = (ada.watch().await?, grace.watch().await?);
        for (cat, client) in [("Tom", &ada), ("Rex", &grace)] {
            print(format_args!("feed: {}", client.feed(cat).await?))?;
            for stream in [&mut adas, &mut graces] {
                print(format_args!("watch: {}", stream.message().await?.ok_or("the stream has ended")?))?;
            }
        }
        let unknown = CatsClient::connect(&address, "Bearer woof").await?;
        print(unknown.feed("Tom").await.err().ok_or("an unknown token was accepted")?)?;
        Ok(())
    })
    .await
}
