//! The madsim world: random task order, event-driven time; the seed farm.

use super::{
    Ambience, Wrap,
    control::{Controller, Order},
    site::{Run, process},
};
use crate::{
    outcome::Outcome,
    plan::Plan,
    seed::{Concern, stream},
};
use anabranch::env::BoxFuture;
use madsim::{
    Config,
    net::NetSim,
    runtime::{Handle, NodeHandle, Runtime},
    time::TimeHandle,
};
use rand::Rng;
use std::{cell::Cell, collections::hash_map::RandomState, future::Future, io, sync::Arc, time::Duration};

/// The world's name.
pub const NAME: &str = "madsim";
/// A simulated socket.
pub type Stream = madsim::net::TcpStream;
/// A simulated listening socket.
pub type Listener = madsim::net::TcpListener;

const PORT: u16 = 7400;
/// How often the plan is looked at when nothing in it is due.
const TICK: Duration = Duration::from_millis(5);

thread_local! {
    static START: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Virtual time since the world began.
pub fn now() -> Duration {
    TimeHandle::try_current().map_or(Duration::ZERO, |time| time.elapsed().saturating_sub(START.get()))
}

/// Sleeps in virtual time.
pub async fn sleep(duration: Duration) {
    madsim::time::sleep(duration).await;
}

/// Starts a task of the current process.
pub fn spawn(task: BoxFuture) {
    drop(madsim::task::spawn(task));
}

/// Calls a site's machine.
pub async fn connect(site: u16) -> io::Result<Stream> {
    Stream::connect(format!("10.0.0.{}:{PORT}", site + 1)).await
}

/// Listens at the current machine.
pub async fn listen(_: u16) -> io::Result<Listener> {
    Listener::bind(format!("0.0.0.0:{PORT}")).await
}

/// The next connection.
pub async fn accept(listener: &mut Listener) -> io::Result<Stream> {
    Ok(listener.accept().await?.0)
}

/// Runs something on the first of two machines: for tests of the seams.
pub fn visit<F: Future<Output = ()> + Send + 'static>(visit: impl Fn() -> F + Send + Sync + 'static) {
    let mut config = Config::default();
    config.net.send_latency = Duration::ZERO..Duration::from_nanos(1);
    Runtime::with_seed_and_config(1, config).block_on(async move {
        let machine = |n: u8| {
            let ip = format!("10.0.0.{}", n + 1).parse().expect("an address");
            Handle::current().create_node().name(format!("s{n}")).ip(ip).build()
        };
        let (first, _second) = (machine(0), machine(1));
        first.spawn(visit()).await.expect("no panic");
    });
}

/// Runs a plan on this thread.
pub fn run<W: Wrap>(plan: &Arc<Plan>, ambience: Ambience) -> Outcome {
    if ambience.0 != 0 {
        // Another order of every HashMap on this thread: madsim seeds its keys only if nobody has.
        drop(RandomState::new());
    }
    let mut config = Config::default();
    config.net.send_latency = Duration::ZERO..Duration::from_nanos(1);
    let scheduler = stream(plan.seed, Concern::Scheduler, 0).random();
    let runtime = Runtime::with_seed_and_config(scheduler, config);
    runtime.block_on(drive::<W>(plan.clone(), ambience))
}

async fn drive<W: Wrap>(plan: Arc<Plan>, ambience: Ambience) -> Outcome {
    // Another date: nothing that reads the host's clock gets the same answer.
    TimeHandle::current().advance(Duration::from_secs(ambience.0 * 86_407));
    START.set(TimeHandle::current().elapsed());
    let run = Run::new(&plan);
    let handle = Handle::current();
    NetSim::current().update_config(|config| config.send_latency = Duration::ZERO..Duration::from_nanos(1));
    let nodes: Vec<NodeHandle> = (0..plan.sites)
        .map(|site| {
            run.ground.lock().machine(site).up = true;
            let run = run.clone();
            let ip = format!("10.0.0.{}", site + 1).parse().expect("an address");
            handle
                .create_node()
                .name(format!("s{site}"))
                .ip(ip)
                .init(move || process::<W>(run.clone(), site))
                .build()
        })
        .collect();
    let mut controller = Controller::new(&plan, &run.ground);
    let (mut quiet_since, mut converged_at, mut asked_at) = (None, None, None);
    loop {
        let time = now();
        for order in controller.due(time) {
            match order {
                Order::Kill(site) => handle.kill(nodes[usize::from(site)].id()),
                Order::Start(site) => handle.restart(nodes[usize::from(site)].id()),
            }
        }
        if super::finished(&run, time, &mut quiet_since, &mut converged_at, &mut asked_at) {
            let outcome = run.outcome(controller, converged_at, time);
            // Tasks that wait for each other are dropped only if their node is killed and the scheduler sees them once more.
            nodes.iter().for_each(|node| handle.kill(node.id()));
            sleep(TICK).await;
            return outcome;
        }
        sleep(TICK.min(controller.next_at().map_or(TICK, |at| at.saturating_sub(time)))).await;
    }
}
