//! What a handler spawns.

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
async fn spawned_tasks_see_the_user_when_it_is_carried_and_nobody_when_it_is_not() {
    for version in VERSIONS {
        let all = Arc::new(Barrier::new(3 * 4));
        let site = Site::open(Router::new().route("/", get(spawning)).layer(layer()).with_state(all), version).await;
        let (one, anonymous, two) =
            join!(site.text("/", Some(User(1))), site.text("/", None), site.text("/", Some(User(2))));
        let expected = |name| format!("spawn: {name}, blocking: {name}, joined: {name}, scoped: {name}; bare: nobody");
        assert_eq!([one, anonymous, two], ["user 1", "nobody", "user 2"].map(expected), "{version:?}");
    }
}

#[tokio::test]
async fn a_carried_task_keeps_its_user_after_its_request_is_over_and_others_have_come() {
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

/// The tasks of all requests have begun before any of them looks.
async fn spawning(State(all): State<Arc<Barrier>>) -> String {
    let look = || {
        let all = Arc::clone(&all);
        async move {
            all.wait().await;
            User::name()
        }
    };
    let mut joined = JoinSet::new();
    joined.spawn(RequestContext::carry(look()));
    let scoped = RequestContext::current().unwrap().scope(look());
    let blocking = RequestContext::spawn_blocking(User::name);
    let (spawn, scoped, bare) = (RequestContext::spawn(look()), tokio::spawn(scoped), tokio::spawn(look()));
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
