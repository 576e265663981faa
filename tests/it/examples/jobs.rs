//! Jobs: whose they are, how they end, and that none knows the values of another.

#[allow(dead_code, reason = "`main` is for those who run it")]
#[path = "../../../examples/jobs/main.rs"]
mod example;

use std::{collections::HashSet, future::pending, net::SocketAddr, sync::Arc, time::Duration};

use futures_util::{
    future::{join, join_all},
    poll, stream,
};
use http::{HeaderMap, Method, StatusCode, Version};
use tokio::{
    sync::{
        Barrier, Semaphore,
        mpsc::{Sender, UnboundedReceiver, channel, unbounded_channel},
    },
    task::{JoinHandle, yield_now},
};
use tower_request_context::{RequestContext, RequestId, Store};

use self::example::{Message, PROPAGATOR, Reports, UserId, app, caller, cron, work};
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
    let (queue, reports, _worker) = start(perform, LONG);
    let address = serve(app(queue, reports.clone())).await;

    let users = (0..USERS).map(|id| (id > 0).then_some(User(id)));
    let asked = in_time(join_all(users.map(|user| ask_for(address, "feed", user)))).await;
    let mut seen = HashSet::new();
    for _ in &asked {
        let (first, last) = in_time(callers.recv()).await.unwrap();
        assert_eq!(first, last);
        seen.insert(first);
    }
    assert_eq!(seen, asked.iter().cloned().collect());
    for caller in &asked {
        assert_eq!(report(&reports, caller).await, format!("feed for {caller}: Completed"));
    }
}

#[tokio::test]
async fn each_job_is_told_how_it_ends_and_none_stops_the_worker() {
    let perform = async |task: String| match &*task {
        "bark" => panic!("cats do not bark"),
        "search" => pending().await,
        _ => yield_now().await,
    };
    let (queue, reports, worker) = start(perform, Duration::ZERO);
    let address = serve(app(queue, reports.clone())).await;
    for (task, end) in [("bark", "Panicked"), ("search", "Cancelled"), ("bark", "Panicked")] {
        let asked = ask_for(address, task, Some(User(7))).await;
        assert_eq!(report(&reports, &asked).await, format!("{task} for {asked}: {end}"));
    }
    assert!(!worker.is_finished());

    let (queue, reports, worker) = start(perform, LONG);
    let address = serve(app(queue, reports.clone())).await;
    let running = ask_for(address, "search", Some(User(7))).await;
    let done = ask_for(address, "feed", Some(User(8))).await;
    assert_eq!(report(&reports, &done).await, format!("feed for {done}: Completed"));
    worker.abort();
    assert_eq!(report(&reports, &running).await, format!("search for {running}: Cancelled"));
}

#[tokio::test]
async fn a_client_reads_how_its_job_ended_at_the_location_it_got() {
    let (queue, reports, _worker) = start(async |_| panic!("every time"), LONG);
    let address = serve(app(queue, reports)).await;
    let client = client(Version::HTTP_11);
    let mut post = request(address, "/tasks/bark", Some(User(7)));
    *post.method_mut() = Method::POST;
    let queued = in_time(client.request(post)).await.unwrap();
    let location = queued.headers()["location"].to_str().unwrap();
    let shown = in_time(client.request(request(address, location, None))).await.unwrap();
    assert_eq!(shown.status(), StatusCode::OK);
    let id = location.strip_prefix("/jobs/").unwrap();
    assert_eq!(text(shown).await, format!("bark for user 7 in {id}: Panicked"));

    let unknown = in_time(client.request(request(address, "/jobs/unknown", None))).await.unwrap();
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_report_is_awaited_until_the_job_has_ended() {
    let done = Arc::new(Semaphore::new(0));
    let perform = {
        let done = Arc::clone(&done);
        move |_| {
            let done = Arc::clone(&done);
            async move { done.acquire().await.unwrap().forget() }
        }
    };
    let (queue, reports, _worker) = start(perform, LONG);
    let asked = ask_for(serve(app(queue, reports.clone())).await, "feed", None).await;
    let mut report = Box::pin(report(&reports, &asked));
    assert!(poll!(&mut report).is_pending());
    done.add_permits(1);
    assert!(report.await.ends_with(": Completed"));
}

#[tokio::test]
async fn reports_are_kept_of_a_bounded_number_of_jobs() {
    let (queue, reports, _worker) = start(async |_| (), LONG);
    let address = serve(app(queue, reports.clone())).await;
    let mut asked = Vec::new();
    for _ in 0..=Reports::KEPT {
        let caller = ask_for(address, "feed", None).await;
        report(&reports, &caller).await;
        asked.push(caller);
    }
    assert_eq!(in_time(reports.get(id_of(&asked[0]))).await, None, "forgotten");
    let kept: Vec<_> = asked[1..].iter().map(|caller| format!("feed for {caller}: Completed")).collect();
    for (caller, kept) in asked[1..].iter().zip(&kept) {
        assert_eq!(report(&reports, caller).await, *kept);
    }
    let shown = in_time(client(Version::HTTP_11).request(request(address, "/jobs", None))).await.unwrap();
    assert_eq!(text(shown).await, kept.join("\n"));
}

#[tokio::test]
async fn jobs_beyond_those_that_run_and_wait_are_rejected() {
    let (queue, reports, _worker) = start(|_| pending(), LONG);
    let address = serve(app(queue, reports)).await;
    let client = client(Version::HTTP_11);
    for accepted in 0.. {
        let mut post = request(address, "/tasks/search", None);
        *post.method_mut() = Method::POST;
        match in_time(client.request(post)).await.unwrap().status() {
            StatusCode::ACCEPTED => assert!(accepted < 2 * 64, "64 run and 64 are queued"),
            status => return assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE),
        }
    }
}

#[tokio::test]
async fn a_job_sends_the_id_and_the_trace_of_its_request_on() {
    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let (sender, mut outgoing) = unbounded_channel();
    let perform = move |_| {
        let sender = sender.clone();
        async move {
            yield_now().await;
            let mut headers = HeaderMap::new();
            PROPAGATOR.inject(&mut headers);
            sender.send(headers).unwrap();
        }
    };
    let (queue, reports, _worker) = start(perform, LONG);
    let mut post = request(serve(app(queue, reports)).await, "/tasks/feed", Some(User(7)));
    *post.method_mut() = Method::POST;
    post.headers_mut().insert("traceparent", TRACE.parse().unwrap());
    post.headers_mut().insert("x-request-id", "forged".parse().unwrap());
    let response = in_time(client(Version::HTTP_11).request(post)).await.unwrap();
    let headers = in_time(outgoing.recv()).await.unwrap();
    assert_eq!(headers.len(), 2, "{headers:?}");
    assert_eq!(headers["traceparent"], TRACE);
    assert_eq!(headers["x-request-id"], response.headers()["x-request-id"]);
    assert_ne!(headers["x-request-id"], "forged");
}

#[tokio::test]
async fn a_worker_ends_when_no_sender_is_left_and_all_is_done() {
    let (queue, reports, worker) = start(async |_| yield_now().await, LONG);
    let id = RequestId::new_v4();
    let request = RequestContext::new(Store::new().with_value(id.clone()));
    let message = request.sync_scope(|| Message::new("feed"));
    reports.add(id.clone());
    queue.send(message).await.unwrap();
    drop(queue);
    in_time(worker).await.unwrap();
    assert!(in_time(reports.get(id.as_str())).await.unwrap().ends_with(": Completed"));
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
    let (queue, reports, _worker) = start(perform, LONG);
    let address = serve(app(queue, reports.clone())).await;
    for _ in 0..2 {
        let fed = ask_for(address, "feed", Some(User(7))).await;
        let washed = ask_for(address, "wash", Some(User(7))).await;
        for caller in [fed, washed] {
            let report = report(&reports, &caller).await;
            assert!(report.ends_with(": Completed"), "{report}");
        }
    }
}

#[tokio::test]
async fn each_tick_is_a_job_of_nobody_with_an_id_of_its_own_though_one_before_it_panicked() {
    let (tick, ticks) = unbounded_channel();
    let (sender, mut jobs) = unbounded_channel();
    let reports = Reports::default();
    let perform = |_| {
        let sender = sender.clone();
        async move {
            assert!(!RequestContext::contains::<UserId>());
            assert!(RequestContext::set(UserId(7)).is_ok());
            sender.send(RequestContext::expect::<RequestId>()).unwrap();
            panic!("every time");
        }
    };
    let ticks = stream::unfold(ticks, async |mut ticks: UnboundedReceiver<()>| Some((ticks.recv().await?, ticks)));
    let run = async {
        let mut ids = HashSet::new();
        for _ in 0..3 {
            tick.send(()).unwrap();
            let id = in_time(jobs.recv()).await.unwrap();
            let report = in_time(reports.get(id.as_str())).await.unwrap();
            assert_eq!(report, format!("count for user 7 in {id}: Panicked"));
            assert!(ids.insert(id), "{report}");
        }
        drop(tick);
    };
    in_time(join(cron(ticks, "count", perform, reports.clone()), run)).await;
}

#[tokio::test]
async fn a_handler_reads_the_same_as_a_job() {
    let (queue, _messages) = channel(1);
    let address = serve(app(queue, Reports::default())).await;
    let response = client(Version::HTTP_11).request(request(address, "/", Some(User(7)))).await.unwrap();
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert_eq!(text(response).await, format!("user 7 in {id}"));
}

#[tokio::test]
async fn a_request_that_names_several_users_is_one_of_nobody() {
    let (queue, _messages) = channel(1);
    let mut request = request(serve(app(queue, Reports::default())).await, "/", Some(User(7)));
    request.headers_mut().append(User::HEADER, 8.into());
    let response = in_time(client(Version::HTTP_11).request(request)).await.unwrap();
    assert!(text(response).await.starts_with("nobody in "));
}

/// A worker, its queue, and how its jobs ended.
fn start<F>(
    perform: impl Fn(String) -> F + Send + Sync + 'static,
    limit: Duration,
) -> (Sender<Message>, Reports, JoinHandle<()>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (queue, messages) = channel(64);
    let reports = Reports::default();
    (queue, reports.clone(), tokio::spawn(work(messages, perform, limit, reports)))
}

/// How the job of this caller ended.
async fn report(reports: &Reports, caller: &str) -> String {
    in_time(reports.get(id_of(caller))).await.expect("the job is kept")
}

fn id_of(caller: &str) -> &str {
    caller.split_once(" in ").unwrap().1
}

/// Asks for a job, and returns the caller that its request was for.
async fn ask_for(address: SocketAddr, task: &str, user: Option<User>) -> String {
    let mut request = request(address, &format!("/tasks/{task}"), user);
    *request.method_mut() = Method::POST;
    let response = in_time(client(Version::HTTP_11).request(request)).await.unwrap();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let name = user.map_or_else(|| String::from("nobody"), |User(id)| format!("user {id}"));
    let caller = format!("{name} in {id}");
    assert_eq!(text(response).await, format!("{task}: queued for {caller}"));
    caller
}
