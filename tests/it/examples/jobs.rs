//! Jobs: their user and id, how they end, and that none sees the values of another.

#[allow(dead_code, reason = "`main` is not called")]
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
async fn concurrent_jobs_run_with_the_id_and_user_of_their_request() {
    const USERS: u32 = 20;
    let all_run = Arc::new(Barrier::new(USERS as usize));
    let (sender, mut seen) = unbounded_channel();
    let perform = move |_| {
        let (all_run, sender) = (Arc::clone(&all_run), sender.clone());
        async move {
            let first = caller().unwrap();
            all_run.wait().await;
            sender.send((first, caller().unwrap())).unwrap();
        }
    };
    let (queue, reports, _worker) = start(perform, LONG);
    let address = serve(app(queue, reports.clone())).await;

    let users = (0..USERS).map(|id| (id > 0).then_some(User(id)));
    let callers = in_time(join_all(users.map(|user| queue_job(address, "feed", user)))).await;
    let mut distinct = HashSet::new();
    for _ in &callers {
        let (first, last) = in_time(seen.recv()).await.unwrap();
        assert_eq!(first, last);
        distinct.insert(first);
    }
    assert_eq!(distinct, callers.iter().cloned().collect());
    for caller in &callers {
        assert_eq!(report(&reports, caller).await, format!("feed for {caller}: Completed"));
    }
}

#[tokio::test]
async fn each_end_is_reported_and_none_stops_the_worker() {
    let perform = async |task: String| match &*task {
        "bark" => panic!("cats do not bark"),
        "search" => pending().await,
        _ => yield_now().await,
    };
    let (queue, reports, worker) = start(perform, Duration::ZERO);
    let address = serve(app(queue, reports.clone())).await;
    for (task, end) in [("bark", "Panicked"), ("search", "Cancelled"), ("bark", "Panicked")] {
        let caller = queue_job(address, task, Some(User(7))).await;
        assert_eq!(report(&reports, &caller).await, format!("{task} for {caller}: {end}"));
    }
    assert!(!worker.is_finished());

    let (queue, reports, worker) = start(perform, LONG);
    let address = serve(app(queue, reports.clone())).await;
    let running = queue_job(address, "search", Some(User(7))).await;
    let done = queue_job(address, "feed", Some(User(8))).await;
    assert_eq!(report(&reports, &done).await, format!("feed for {done}: Completed"));
    worker.abort();
    assert_eq!(report(&reports, &running).await, format!("search for {running}: Cancelled"));
}

#[tokio::test]
async fn a_client_reads_the_report_at_the_returned_location() {
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
    let caller = queue_job(serve(app(queue, reports.clone())).await, "feed", None).await;
    let mut report = Box::pin(report(&reports, &caller));
    assert!(poll!(&mut report).is_pending());
    done.add_permits(1);
    assert!(report.await.ends_with(": Completed"));
}

#[tokio::test]
async fn the_number_of_kept_reports_is_bounded() {
    let (queue, reports, _worker) = start(async |_| (), LONG);
    let address = serve(app(queue, reports.clone())).await;
    let mut callers = Vec::new();
    for _ in 0..=Reports::KEPT {
        let caller = queue_job(address, "feed", None).await;
        report(&reports, &caller).await;
        callers.push(caller);
    }
    assert_eq!(in_time(reports.get(id_of(&callers[0]))).await, None, "removed");
    let kept: Vec<_> = callers[1..].iter().map(|caller| format!("feed for {caller}: Completed")).collect();
    for (caller, kept) in callers[1..].iter().zip(&kept) {
        assert_eq!(report(&reports, caller).await, *kept);
    }
    let shown = in_time(client(Version::HTTP_11).request(request(address, "/jobs", None))).await.unwrap();
    assert_eq!(text(shown).await, kept.join("\n"));
}

#[tokio::test]
async fn a_full_queue_rejects_jobs() {
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
async fn a_job_propagates_the_id_and_the_trace_of_its_request() {
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
async fn a_worker_ends_after_the_last_sender_and_the_last_job() {
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
async fn jobs_do_not_share_values() {
    #[derive(Clone, Debug, PartialEq)]
    struct Bowl(String);

    let both_run = Arc::new(Barrier::new(2));
    let perform = move |task: String| {
        let both_run = Arc::clone(&both_run);
        async move {
            assert!(!RequestContext::contains::<Bowl>());
            RequestContext::set(Bowl(task.clone())).unwrap();
            both_run.wait().await;
            assert_eq!(RequestContext::get(), Some(Bowl(task)));
        }
    };
    let (queue, reports, _worker) = start(perform, LONG);
    let address = serve(app(queue, reports.clone())).await;
    for _ in 0..2 {
        let fed = queue_job(address, "feed", Some(User(7))).await;
        let washed = queue_job(address, "wash", Some(User(7))).await;
        for caller in [fed, washed] {
            let report = report(&reports, &caller).await;
            assert!(report.ends_with(": Completed"), "{report}");
        }
    }
}

#[tokio::test]
async fn each_tick_runs_a_job_without_a_user_even_after_a_panic() {
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
async fn a_handler_reads_the_same_values_as_a_job() {
    let (queue, _messages) = channel(1);
    let address = serve(app(queue, Reports::default())).await;
    let response = client(Version::HTTP_11).request(request(address, "/", Some(User(7)))).await.unwrap();
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert_eq!(text(response).await, format!("user 7 in {id}"));
}

#[tokio::test]
async fn a_request_with_several_users_is_anonymous() {
    let (queue, _messages) = channel(1);
    let mut request = request(serve(app(queue, Reports::default())).await, "/", Some(User(7)));
    request.headers_mut().append(User::HEADER, 8.into());
    let response = in_time(client(Version::HTTP_11).request(request)).await.unwrap();
    assert!(text(response).await.starts_with("anonymous in "));
}

/// Starts a worker, and returns its queue and its reports.
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

/// Returns how the job of this caller ended.
async fn report(reports: &Reports, caller: &str) -> String {
    in_time(reports.get(id_of(caller))).await.expect("the job is kept")
}

fn id_of(caller: &str) -> &str {
    caller.split_once(" in ").unwrap().1
}

/// Sends a request for a job, and returns the caller that the request is for.
async fn queue_job(address: SocketAddr, task: &str, user: Option<User>) -> String {
    let mut request = request(address, &format!("/tasks/{task}"), user);
    *request.method_mut() = Method::POST;
    let response = in_time(client(Version::HTTP_11).request(request)).await.unwrap();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let name = user.map_or_else(|| String::from("anonymous"), |User(id)| format!("user {id}"));
    let caller = format!("{name} in {id}");
    assert_eq!(text(response).await, format!("{task}: queued for {caller}"));
    caller
}
