//! Jobs: whose they are, how they end, and that none knows the values of another.

#[allow(dead_code, reason = "`main` is for those who run it")]
#[path = "../../../examples/jobs/main.rs"]
mod example;

use std::{collections::HashSet, future::pending, net::SocketAddr, sync::Arc, time::Duration};

use futures_util::{future::join_all, stream};
use http::{Method, StatusCode, Version};
use tokio::{
    sync::{
        Barrier,
        mpsc::{Sender, UnboundedReceiver, channel, unbounded_channel},
    },
    task::{JoinHandle, yield_now},
};
use tower_request_context::RequestContext;

use self::example::{Message, UserId, app, caller, cron, work};
use crate::support::{User, client, in_time, request, serve, text};

const LONG: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn jobs_at_once_run_with_the_id_and_the_user_of_the_request_that_asked_for_each() {
    const USERS: u32 = 20;
    let met = Arc::new(Barrier::new(USERS as usize));
    let (sender, mut callers) = unbounded_channel();
    let perform = move |_| {
        let (met, sender) = (Arc::clone(&met), sender.clone());
        async move {
            let first = caller().unwrap();
            met.wait().await;
            sender.send((first, caller().unwrap())).unwrap();
        }
    };
    let (queue, mut reports, _worker) = start(perform, LONG);
    let address = serve(app(queue)).await;

    let users = (0..USERS).map(|id| (id > 0).then_some(User(id)));
    let asked = in_time(join_all(users.map(|user| ask_for(address, "feed", user)))).await;
    let mut seen = HashSet::new();
    let mut told = HashSet::new();
    for _ in &asked {
        let (first, last) = in_time(callers.recv()).await.unwrap();
        assert_eq!(first, last);
        seen.insert(first);
        told.insert(in_time(reports.recv()).await.unwrap());
    }
    assert_eq!(seen, asked.iter().cloned().collect());
    assert_eq!(told, asked.iter().map(|caller| format!("feed for {caller}: Completed")).collect());
}

#[tokio::test]
async fn each_job_is_told_how_it_ends_and_none_stops_the_worker() {
    let perform = async |task: String| match &*task {
        "bark" => panic!("cats do not bark"),
        "search" => pending().await,
        _ => yield_now().await,
    };
    let (queue, mut reports, worker) = start(perform, Duration::ZERO);
    let address = serve(app(queue)).await;
    for (task, end) in [("bark", "Panicked"), ("search", "Cancelled"), ("bark", "Panicked")] {
        let asked = ask_for(address, task, Some(User(7))).await;
        assert_eq!(in_time(reports.recv()).await.unwrap(), format!("{task} for {asked}: {end}"));
    }
    assert!(!worker.is_finished());

    let (queue, mut reports, worker) = start(perform, LONG);
    let address = serve(app(queue)).await;
    let running = ask_for(address, "search", Some(User(7))).await;
    let done = ask_for(address, "feed", Some(User(8))).await;
    assert_eq!(in_time(reports.recv()).await.unwrap(), format!("feed for {done}: Completed"));
    worker.abort();
    assert_eq!(in_time(reports.recv()).await.unwrap(), format!("search for {running}: Cancelled"));
}

#[tokio::test]
async fn a_worker_ends_when_no_sender_is_left_and_all_is_done() {
    let (queue, mut reports, worker) = start(async |_| yield_now().await, LONG);
    queue.send(Message::here("feed")).await.unwrap();
    drop(queue);
    in_time(worker).await.unwrap();
    assert!(reports.recv().await.unwrap().ends_with(": Completed"));
}

#[tokio::test]
async fn the_values_of_one_job_are_not_seen_by_another_after_it_or_beside_it() {
    #[derive(Clone, Debug, PartialEq)]
    struct Bowl(String);

    let met = Arc::new(Barrier::new(2));
    let perform = move |task: String| {
        let met = Arc::clone(&met);
        async move {
            assert!(!RequestContext::contains::<Bowl>());
            RequestContext::set(Bowl(task.clone())).unwrap();
            met.wait().await;
            assert_eq!(RequestContext::get(), Some(Bowl(task)));
        }
    };
    let (queue, mut reports, _worker) = start(perform, LONG);
    let address = serve(app(queue)).await;
    for _ in 0..2 {
        ask_for(address, "feed", Some(User(7))).await;
        ask_for(address, "wash", Some(User(7))).await;
        for _ in 0..2 {
            let report = in_time(reports.recv()).await.unwrap();
            assert!(report.ends_with(": Completed"), "{report}");
        }
    }
}

#[tokio::test]
async fn each_tick_is_a_job_of_nobody_with_an_id_of_its_own_though_one_before_it_panicked() {
    let (tick, ticks) = unbounded_channel();
    let (sender, mut reports) = unbounded_channel();
    let perform = async |_| {
        assert!(!RequestContext::contains::<UserId>());
        assert!(RequestContext::set(UserId(7)).is_ok());
        panic!("every time");
    };
    let ticks = stream::unfold(ticks, async |mut ticks: UnboundedReceiver<()>| Some((ticks.recv().await?, ticks)));
    let cron = tokio::spawn(cron(ticks, "count", perform, sender));
    let mut ids = HashSet::new();
    for _ in 0..3 {
        tick.send(()).unwrap();
        let report = in_time(reports.recv()).await.unwrap();
        let id = report.strip_prefix("count for user 7 in ").and_then(|report| report.strip_suffix(": Panicked"));
        assert!(ids.insert(id.unwrap().to_owned()), "{report}");
    }
    drop(tick);
    in_time(cron).await.unwrap();
}

#[tokio::test]
async fn a_handler_reads_the_same_as_a_job() {
    let (queue, _messages) = channel(1);
    let response =
        client(Version::HTTP_11).request(request(serve(app(queue)).await, "/", Some(User(7)))).await.unwrap();
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert_eq!(text(response).await, format!("user 7 in {id}"));
}

/// A worker, its queue, and the ends that it reports.
fn start<F>(
    perform: impl Fn(String) -> F + Send + Sync + 'static,
    limit: Duration,
) -> (Sender<Message>, UnboundedReceiver<String>, JoinHandle<()>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (queue, messages) = channel(64);
    let (sender, reports) = unbounded_channel();
    (queue, reports, tokio::spawn(work(messages, perform, limit, sender)))
}

/// Asks for a job, and returns the caller that its request was for.
async fn ask_for(address: SocketAddr, task: &str, user: Option<User>) -> String {
    let mut request = request(address, &format!("/jobs/{task}"), user);
    *request.method_mut() = Method::POST;
    let response = in_time(client(Version::HTTP_11).request(request)).await.unwrap();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let name = user.map_or_else(|| String::from("nobody"), |User(id)| format!("user {id}"));
    let caller = format!("{name} in {id}");
    assert_eq!(text(response).await, format!("{task}: queued for {caller}"));
    caller
}
