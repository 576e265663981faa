//! The examples as programs: their names, and how to run them.

use std::{
    collections::BTreeMap,
    env::{self, consts::EXE_SUFFIX},
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ExitStatus, Output, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::timeout,
};

/// Returns the names of the examples that run requests and read `PORT`: all but `hello`, which is made to be copied.
pub(crate) fn demos() -> impl Iterator<Item = String> {
    examples().into_keys().filter(|name| name != "hello")
}

/// Returns the names of the examples, each with the file of its `main`.
pub(crate) fn examples() -> BTreeMap<String, PathBuf> {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")).unwrap();
    let mains = entries.map(|entry| entry.unwrap().path()).filter_map(|path| {
        let main = if path.is_dir() { path.join("main.rs") } else { path.clone() };
        let is_example = main.exists() && main.extension().is_some_and(|extension| extension == "rs");
        is_example.then(|| (path.file_stem().unwrap().to_str().unwrap().to_owned(), main))
    });
    mains.collect()
}

/// An example by its name.
pub(crate) struct Example<'a>(pub(crate) &'a str);

/// An example that serves until it is interrupted. A task reads its output all the time, since a full pipe would block it.
pub(crate) struct Serving {
    program: Child,
    stdout: UnboundedReceiver<String>,
    stderr: UnboundedReceiver<String>,
}

impl Example<'_> {
    pub(crate) async fn once(&self, port: &str) -> Output {
        self.run(port, &["--once"]).await
    }

    pub(crate) async fn run(&self, port: &str, arguments: &[&str]) -> Output {
        self.with(port, arguments, &[]).await
    }

    /// Runs it with additional environment variables.
    pub(crate) async fn with(&self, port: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        guarded(self.command(port).args(arguments).envs(variables.iter().copied()).output()).await.unwrap()
    }

    /// Starts it on a free port.
    pub(crate) fn serve(&self) -> Serving {
        let mut program = self.command("0").stderr(Stdio::piped()).spawn().unwrap();
        let stdout = lines(program.stdout.take().unwrap());
        let stderr = lines(program.stderr.take().unwrap());
        Serving { program, stdout, stderr }
    }

    /// Returns a command for the program that Cargo has built.
    fn command(&self, port: &str) -> Command {
        let name = self.0;
        let profile = env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned();
        let program = profile.join("examples").join(format!("{name}{EXE_SUFFIX}"));
        assert!(
            program.exists(),
            "{} does not exist: build it with `cargo build --example {name}`, or run all tests with `cargo test`",
            program.display(),
        );
        let mut command = Command::new(program);
        command.env("PORT", port).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        command
    }
}

impl Serving {
    pub(crate) fn process_id(&self) -> u32 {
        self.program.id().expect("the example runs until it is interrupted")
    }

    /// Returns the address that it serves, when it waits for Ctrl-C.
    pub(crate) async fn address(&mut self) -> SocketAddr {
        let mut printed = String::new();
        loop {
            printed += &self.next_line().await;
            let address = printed.split("http://").nth(1);
            if let (true, Some(address)) = (printed.contains("Ctrl-C"), address) {
                let end = address.find(|c: char| c != '.' && c != ':' && !c.is_ascii_digit()).unwrap_or(address.len());
                return address[..end].parse().unwrap();
            }
            printed.push('\n');
        }
    }

    pub(crate) async fn next_line(&mut self) -> String {
        guarded(self.stdout.recv()).await.expect("the example is still running")
    }

    /// Skips to the next line that starts with `start`, and returns the rest of it.
    pub(crate) async fn line_after(&mut self, start: &str) -> String {
        loop {
            if let Some(rest) = self.next_line().await.trim_start().strip_prefix(start) {
                return rest.to_owned();
            }
        }
    }

    pub(crate) async fn interrupt(self) -> ExitStatus {
        self.interrupt_and_read().await.0
    }

    /// Also returns the remaining lines of stdout and of stderr.
    pub(crate) async fn interrupt_and_read(mut self) -> (ExitStatus, [Vec<String>; 2]) {
        let id = self.program.id().unwrap().to_string();
        assert!(guarded(Command::new("kill").args(["-INT", &id]).status()).await.unwrap().success());
        let status = guarded(self.program.wait()).await.unwrap();
        let mut rest = [Vec::new(), Vec::new()];
        for (lines, rest) in [self.stdout, self.stderr].iter_mut().zip(&mut rest) {
            while let Some(line) = guarded(lines.recv()).await {
                rest.push(line);
            }
        }
        (status, rest)
    }
}

fn lines(output: impl AsyncRead + Send + Unpin + 'static) -> UnboundedReceiver<String> {
    let (sender, receiver) = unbounded_channel();
    tokio::spawn(async move {
        let mut lines = BufReader::new(output).lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            // Fails when the test reads no more lines.
            drop(sender.send(line));
        }
    });
    receiver
}

/// Returns the message of an example that failed, which must be one line.
pub(crate) fn error_message(output: &Output) -> String {
    let stderr = stderr(output);
    assert_eq!((stdout(output), output.status.code()), (String::new(), Some(1)), "{stderr}");
    let message = stderr.strip_prefix("Error: ").and_then(|line| line.strip_suffix('\n')).unwrap();
    assert!(!message.contains('\n'), "{stderr}");
    message.to_owned()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub(crate) async fn guarded<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(90), future).await.expect("the example hangs")
}
