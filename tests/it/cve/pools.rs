//! Resources that are reused by later requests: threads, cached work, connections.

use std::{
    any::Any,
    future::pending,
    mem,
    sync::{Arc, Mutex, OnceLock, mpsc::channel},
    thread,
};

use axum::{
    Router,
    extract::State,
    routing::{any, get},
};
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared, join},
};
use http::{Response, StatusCode, Version};
use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::{
    runtime::Builder,
    sync::{
        Barrier,
        mpsc::{UnboundedSender, unbounded_channel},
    },
    task::{spawn_blocking, yield_now},
};
use tower_http::catch_panic::CatchPanicLayer;
use tower_request_context::{End, RequestContext, Store};

use crate::support::{Connection, User, VERSIONS, client, http2_connection, in_time, layer, request, serve, text};

// F1: the identity of a request remained on its thread and was used by the next request there.
#[test]
fn cve_2026_97888_next_request_on_a_thread_has_no_earlier_user() {
    async fn fail() {
        let pooled = RequestContext::spawn_blocking(|| panic!("as {}", User::name())).await;
        panic!("{:?}, as {}", pooled.unwrap_err().into_panic().downcast_ref::<String>(), User::name());
    }
    async fn who() -> String {
        let on_thread = || format!("{} on {:?}", User::name(), thread::current().id());
        [on_thread(), spawn_blocking(on_thread).await.unwrap()].join(", ")
    }

    let failed = r#"Some("as user 1"), as user 1"#;
    let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    runtime.block_on(in_time(async {
        let message_response = |panic: Box<dyn Any + Send>| {
            let text = panic.downcast::<String>().expect("the handler panics with a formatted message");
            Response::builder().status(StatusCode::INTERNAL_SERVER_ERROR).body(*text).unwrap()
        };
        let app = Router::new().route("/fail", any(fail)).route("/", get(who)).layer(layer());
        let address = serve(app.layer(CatchPanicLayer::custom(message_response))).await;
        let pooled = spawn_blocking(|| thread::current().id()).await.unwrap();
        let threads = format!("nobody on {:?}, nobody on {pooled:?}", thread::current().id());
        for version in VERSIONS {
            let mut connection = Connection::open(address, version).await;
            let response = connection.send(request(address, "/fail", Some(User(1)))).await.unwrap();
            assert_eq!(text(response).await, failed);
            let response = connection.send(request(address, "/", None)).await.unwrap();
            assert_eq!(text(response).await, threads);
        }
    }));
}

/// Waits for a pool on its only thread. Meanwhile that thread runs the job that `submit` adds.
type WaitFor = fn(&ThreadPool, submit: &(dyn Fn() + Sync));

/// Returns the user that it sees; the argument is its own context.
type Job = fn(&RequestContext) -> String;

const WAITS: [WaitFor; 3] = [
    |_, submit| {
        submit();
        assert_eq!(rayon::yield_now(), Some(rayon::Yield::Executed));
    },
    // Jobs that other threads add run in the order in which they were added.
    |_, submit| {
        rayon::scope(|scope| {
            let add = || {
                submit();
                scope.spawn(|_| ());
            };
            thread::scope(|threads| _ = threads.spawn(add));
        });
    },
    |pool, submit| {
        pool_of_one().install(|| {
            submit();
            pool.install(|| ());
        });
    },
];

// F26: a thread waited for its pool in the context of a request, and ran another request's job in that context.
#[test]
fn nearcore_9441_stolen_job_runs_in_the_context_that_it_enters() {
    // The users that a job of user 2 sees on a thread that waits in the context of user 1, and on one that waits
    // outside.
    let jobs: [(Job, _, _); 3] = [
        (|_| User::name(), "user 1", "nobody"),
        (|own| own.sync_scope(User::name), "user 2", "user 2"),
        (|_| RequestContext::sync_exit(User::name), "nobody", "nobody"),
    ];
    let [one, two] = [1, 2].map(|id| RequestContext::new(Store::new().with_value(User(id))));
    for (index, wait) in WAITS.into_iter().enumerate() {
        for (job, inside, outside) in jobs {
            let (pool, (sender, seen)) = (pool_of_one(), channel());
            let submit = || {
                let (sender, own) = (sender.clone(), two.clone());
                let job = move || sender.send(job(&own)).unwrap();
                thread::scope(|threads| _ = threads.spawn(|| two.sync_scope(|| pool.spawn(job))));
            };
            let wait_and_go_on = || {
                wait(&pool, &submit);
                sender.send(User::name()).unwrap();
            };
            pool.install(|| one.sync_scope(wait_and_go_on));
            assert_eq!(seen.try_iter().collect::<Vec<_>>(), [inside, "user 1"], "wait {index}");
            pool.install(wait_and_go_on);
            assert_eq!(seen.try_iter().collect::<Vec<_>>(), [outside, "nobody"], "wait {index}");
        }
    }
}

fn pool_of_one() -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(1).build().unwrap()
}

type SharedLookUp = Shared<BoxFuture<'static, String>>;

// F4: cached work ran as the user of the first request, for every request that awaited it.
#[tokio::test]
async fn cve_2023_6393_shared_work_runs_outside_any_context() {
    async fn look_up() -> String {
        let first = User::name();
        yield_now().await;
        format!("by {first} and {}", User::name())
    }
    async fn cached(State((cache, met)): State<(Arc<OnceLock<SharedLookUp>>, Arc<Barrier>)>) -> String {
        let shared = cache.get_or_init(|| RequestContext::exit(look_up()).boxed().shared()).clone();
        met.wait().await;
        format!("{} for {}", shared.await, User::name())
    }

    let app = Router::new().route("/", get(cached)).with_state((Arc::default(), Arc::new(Barrier::new(2))));
    let address = serve(app.layer(layer())).await;
    let connection = http2_connection(address).await;
    let ask = async |user| {
        let response = connection.clone().send_request(request(address, "/", Some(User(user)))).await.unwrap();
        text(response).await
    };
    let responses = in_time(join(ask(1), ask(2))).await;
    assert_eq!(responses, ("by nobody and nobody for user 1".into(), "by nobody and nobody for user 2".into()));
}

/// Connections to a database that returns responses in the order of the queries, like a pipelined protocol.
#[derive(Clone)]
struct Pool {
    idle: Arc<Mutex<Vec<Database>>>,
    ended: UnboundedSender<(End, usize)>,
}

#[derive(Default)]
struct Database {
    unread: Vec<String>,
}

impl Pool {
    /// Checks out a connection for the current request. It is returned to the pool if the request completes, and
    /// dropped otherwise.
    fn checkout(&self) -> Arc<Mutex<Database>> {
        let connection = self.idle.lock().unwrap().pop().unwrap_or_default();
        let checked_out = Arc::new(Mutex::new(connection));
        let (pool, returning) = (self.clone(), Arc::clone(&checked_out));
        let check_in = move |end| {
            let connection = mem::take(&mut *returning.lock().unwrap());
            let mut idle = pool.idle.lock().unwrap();
            if end == End::Completed {
                idle.push(connection);
            }
            pool.ended.send((end, idle.len())).unwrap();
        };
        RequestContext::on_end(check_in).unwrap();
        checked_out
    }
}

// F6: a request was cancelled between query and response, and the next one on that connection read the response.
#[tokio::test]
async fn cve_2023_28859_connection_of_cancelled_request_is_not_reused() {
    async fn ask(State((pool, asked)): State<(Pool, Arc<Barrier>)>) -> String {
        let connection = pool.checkout();
        connection.lock().unwrap().unread.push(format!("for {}", User::name()));
        if RequestContext::get() == Some(User(1)) {
            asked.wait().await;
            pending::<()>().await;
        }
        connection.lock().unwrap().unread.remove(0)
    }

    for version in VERSIONS {
        let (ended, mut ends) = unbounded_channel();
        let pool = Pool { idle: Arc::default(), ended };
        pool.idle.lock().unwrap().push(Database::default());
        let asked = Arc::new(Barrier::new(2));
        let app = Router::new().route("/", get(ask)).with_state((pool, Arc::clone(&asked)));
        let address = serve(app.layer(layer())).await;

        let (mut cancelled, socket) = Connection::open_to_abort(address, version).await;
        let one = tokio::spawn(async move { cancelled.send(request(address, "/", Some(User(1)))).await.map(drop) });
        in_time(asked.wait()).await;
        socket.abort();
        assert_eq!(in_time(ends.recv()).await, Some((End::Cancelled, 0)));
        assert!(one.await.unwrap().is_err());

        for user in [2, 3] {
            let response = client(Version::HTTP_11).request(request(address, "/", Some(User(user)))).await.unwrap();
            assert_eq!(text(response).await, format!("for user {user}"));
            assert_eq!(in_time(ends.recv()).await, Some((End::Completed, 1)));
        }
    }
}
