//! Tasks that a handler spawns.

use std::sync::Arc;

use axum::{Router, extract::State, routing::get};
use tokio::{
    join,
    sync::{Barrier, Notify, mpsc::unbounded_channel},
    task::JoinSet,
};
use tower_request_context::RequestContext;

use super::Site;
use crate::support::{User, VERSIONS, in_time, layer};

#[tokio::test]
async fn tasks_see_the_user_only_if_the_context_is_propagated() {
    for version in VERSIONS {
        let all = Arc::new(Barrier::new(3 * 4));
        let site = Site::open(Router::new().route("/", get(spawn_tasks)).layer(layer()).with_state(all), version).await;
        let (one, anonymous, two) =
            join!(site.text("/", Some(User(1))), site.text("/", None), site.text("/", Some(User(2))));
        let expected = |name| format!("spawn: {name}, blocking: {name}, joined: {name}, scoped: {name}; bare: nobody");
        assert_eq!([one, anonymous, two], ["user 1", "nobody", "user 2"].map(expected), "{version:?}");
    }
}

#[tokio::test]
async fn task_keeps_its_user_after_its_request_ended() {
    for version in VERSIONS {
        let go_on = Arc::new(Notify::new());
        let (sender, mut names) = unbounded_channel();
        let gate = Arc::clone(&go_on);
        let handler = async move || {
            if RequestContext::contains::<User>() {
                RequestContext::spawn(async move {
                    gate.notified().await;
                    sender.send(User::name()).unwrap();
                });
            }
            User::name()
        };
        let site = Site::open(Router::new().route("/", get(handler)).layer(layer()), version).await;
        assert_eq!(site.text("/", Some(User(1))).await, "user 1", "{version:?}");
        assert_eq!(site.text("/", None).await, "nobody", "{version:?}");
        go_on.notify_one();
        assert_eq!(in_time(names.recv()).await.unwrap(), "user 1", "{version:?}");
    }
}

/// Spawns tasks in several ways. All async tasks of all requests wait for each other before any of them reads.
async fn spawn_tasks(State(all): State<Arc<Barrier>>) -> String {
    let read = || {
        let all = Arc::clone(&all);
        async move {
            all.wait().await;
            User::name()
        }
    };
    let mut joined = JoinSet::new();
    joined.spawn(RequestContext::carry(read()));
    let scoped = RequestContext::current().unwrap().scope(read());
    let blocking = RequestContext::spawn_blocking(User::name);
    let (spawn, scoped, bare) = (RequestContext::spawn(read()), tokio::spawn(scoped), tokio::spawn(read()));
    let (spawn, blocking, scoped, bare) = join!(spawn, blocking, scoped, bare);
    format!(
        "spawn: {}, blocking: {}, joined: {}, scoped: {}; bare: {}",
        spawn.unwrap(),
        blocking.unwrap(),
        joined.join_all().await.concat(),
        scoped.unwrap(),
        bare.unwrap(),
    )
}
