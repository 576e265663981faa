//! A client for the echo service.

use futures_util::{TryStreamExt, stream};
use tonic::{
    Request, Response, Status, Streaming, client::Grpc, codegen::http::uri::PathAndQuery, metadata::MetadataValue,
    transport::Channel,
};

use super::echo::{Method, codec};
use crate::support::User;

/// Returns the replies to all words, or the status with which the call failed.
pub(crate) async fn call(
    channel: &Channel,
    method: Method,
    user: Option<User>,
    words: &[&str],
) -> Result<Vec<String>, Status> {
    let path = PathAndQuery::from_static(method.path());
    let mut grpc = ready(channel).await?;
    match method {
        Method::Unary => grpc.unary(one(user, words), path, codec()).await.map(split),
        Method::ClientStreaming => grpc.client_streaming(many(user, words), path, codec()).await.map(split),
        Method::ServerStreaming | Method::Bidirectional => {
            open(channel, method, user, words).await?.try_collect().await
        }
    }
}

/// Returns the stream of replies of a method that streams them.
pub(crate) async fn open(
    channel: &Channel,
    method: Method,
    user: Option<User>,
    words: &[&str],
) -> Result<Streaming<String>, Status> {
    let path = PathAndQuery::from_static(method.path());
    let mut grpc = ready(channel).await?;
    let response = match method {
        Method::ServerStreaming => grpc.server_streaming(one(user, words), path, codec()).await,
        Method::Bidirectional => grpc.streaming(many(user, words), path, codec()).await,
        Method::Unary | Method::ClientStreaming => panic!("{method:?} does not stream its replies"),
    };
    response.map(Response::into_inner)
}

async fn ready(channel: &Channel) -> Result<Grpc<Channel>, Status> {
    let mut grpc = Grpc::new(channel.clone());
    grpc.ready().await.map_err(|error| Status::from_error(error.into()))?;
    Ok(grpc)
}

fn one(user: Option<User>, words: &[&str]) -> Request<String> {
    request(user, words.join(" "))
}

fn many(user: Option<User>, words: &[&str]) -> Request<stream::Iter<std::vec::IntoIter<String>>> {
    let words: Vec<_> = words.iter().copied().map(String::from).collect();
    request(user, stream::iter(words))
}

fn request<T>(user: Option<User>, message: T) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(User(id)) = user {
        request.metadata_mut().insert(User::HEADER, MetadataValue::from(id));
    }
    request
}

fn split(response: Response<String>) -> Vec<String> {
    response.into_inner().split('\n').map(String::from).collect()
}
