//! The turmoil world: one tokio runtime a site, real task queues, time in ticks; the cross-check of the seed farm.

use super::{
    Ambience, Wrap,
    control::{Controller, Order},
    interposer,
    site::{Run, process},
};
use crate::{
    outcome::Outcome,
    plan::Plan,
    seed::{Concern, stream},
};
use anabranch::env::BoxFuture;
use rand::Rng;
use std::{
    cell::{Cell, RefCell},
    future::Future,
    io,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

/// The world's name.
pub const NAME: &str = "turmoil";
/// A simulated socket.
pub type Stream = ::turmoil::net::TcpStream;
/// A simulated listening socket.
pub type Listener = ::turmoil::net::TcpListener;

const PORT: u16 = 7400;
/// How far time moves at once: a compromise between precision and speed, well below a link's delay.
const TICK: Duration = Duration::from_millis(2);

thread_local! {
    static NOW: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static PANIC: RefCell<Option<Box<dyn std::any::Any + Send>>> = const { RefCell::new(None) };
}

/// Virtual time since the world began.
pub fn now() -> Duration {
    if ::turmoil::in_simulation() { ::turmoil::sim_elapsed().unwrap_or_else(|| NOW.get()) } else { NOW.get() }
}

/// Sleeps in virtual time.
pub async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Starts a task of the current process. Its panic is the world's.
pub fn spawn(task: BoxFuture) {
    drop(tokio::spawn(Guarded(task)));
}

/// Calls a site's machine.
pub async fn connect(site: u16) -> io::Result<Stream> {
    Stream::connect((format!("s{site}"), PORT)).await
}

/// Listens at the current machine.
pub async fn listen(_: u16) -> io::Result<Listener> {
    Listener::bind(("0.0.0.0", PORT)).await
}

/// The next connection.
pub async fn accept(listener: &mut Listener) -> io::Result<Stream> {
    Ok(listener.accept().await?.0)
}

/// tokio swallows the panic of a task; a broken invariant must end the run.
struct Guarded(BoxFuture);

impl Future for Guarded {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx))).unwrap_or_else(|panic| {
            PANIC.with(|slot| {
                slot.borrow_mut().get_or_insert(panic);
            });
            Poll::Ready(())
        })
    }
}

/// Runs something on the first of two machines: for tests of the seams.
pub fn visit<F: Future<Output = ()> + 'static>(visit: impl Fn() -> F + 'static) {
    let mut sim =
        ::turmoil::Builder::new().tick_duration(TICK).simulation_duration(Duration::from_mins(10)).build();
    sim.host("s1", || async {
        std::future::pending::<()>().await;
        Ok(())
    });
    sim.client("s0", async move {
        visit().await;
        Ok(())
    });
    sim.run().expect("no panic");
}

/// Runs a plan on this thread.
pub fn run<W: Wrap>(plan: &Arc<Plan>, ambience: Ambience) -> Outcome {
    let scheduler: u64 = stream(plan.seed, Concern::Scheduler, 0).random();
    // Another date, and another order of every HashMap: nothing may depend on either.
    let epoch = Duration::from_secs(1_800_000_000 + ambience.0 * 86_407);
    interposer::enable(scheduler ^ ambience.0, epoch);
    let outcome = drive::<W>(plan, scheduler, epoch);
    interposer::disable();
    outcome
}

fn drive<W: Wrap>(plan: &Arc<Plan>, scheduler: u64, epoch: Duration) -> Outcome {
    let mut sim = ::turmoil::Builder::new()
        .rng_seed(scheduler)
        .epoch(SystemTime::UNIX_EPOCH + epoch)
        .tick_duration(TICK)
        .simulation_duration(plan.deadline + Duration::from_mins(10))
        .min_message_latency(Duration::ZERO)
        .max_message_latency(Duration::ZERO)
        .tcp_capacity(4096)
        .enable_random_order()
        .build();
    let run = Run::new(plan);
    for site in 0..plan.sites {
        run.ground.lock().machine(site).up = true;
        let run = run.clone();
        sim.host(format!("s{site}"), move || {
            let run = run.clone();
            async move {
                process::<W>(run, site).await;
                Ok(())
            }
        });
    }
    let mut controller = Controller::new(plan, &run.ground);
    let (mut quiet_since, mut converged_at, mut asked_at) = (None, None, None);
    loop {
        let time = sim.elapsed();
        NOW.set(time);
        interposer::set_clock(epoch + time);
        for order in controller.due(time) {
            match order {
                Order::Kill(site) => sim.crash(format!("s{site}")),
                Order::Start(site) => sim.bounce(format!("s{site}")),
            }
        }
        if super::finished(&run, time, &mut quiet_since, &mut converged_at, &mut asked_at) {
            return run.outcome(controller, converged_at, time);
        }
        if let Err(error) = sim.step() {
            panic!("the turmoil world failed: {error}");
        }
        if let Some(panic) = PANIC.with(|slot| slot.borrow_mut().take()) {
            resume_unwind(panic);
        }
    }
}
