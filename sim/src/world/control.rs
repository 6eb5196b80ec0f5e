//! Carries a plan's faults out: the only hand that a fault has on the world.
//!
//! Synchronous: a simulator calls [`Controller::due`] as time passes and carries out the orders it returns.

use super::{
    disk::Disk,
    ground::{Ground, kind},
};
use crate::{
    nemesis::{Act, Fault, Loss},
    plan::Plan,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// What the simulator must do to a site's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// End it.
    Kill(u16),
    /// Start it.
    Start(u16),
}

#[derive(Clone, Debug)]
enum Step {
    Begin(usize),
    Toggle(usize, bool),
    End(usize),
    Backup(usize),
    Start(u16),
    HealAll,
}

/// How long a process that ended by itself is down before it is started again.
const RESTART_AFTER: Duration = Duration::from_millis(300);
/// How often a fault that found nothing to act on tries again.
const RETRY_EVERY: Duration = Duration::from_millis(5);

/// When a site's process ended, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Which site.
    pub site: u16,
    /// When.
    pub at: Duration,
    /// When it was started again.
    pub back_at: Duration,
    /// Whether its disk survived: then everything that was acknowledged must be there.
    pub disk_survived: bool,
}

/// A plan's faults in progress.
pub struct Controller {
    plan: Arc<Plan>,
    ground: Arc<Ground>,
    schedule: BTreeMap<(Duration, u32), Step>,
    next: u32,
    backups: BTreeMap<usize, Disk>,
    /// Crashes that wait for the disk to die, by site.
    armed: BTreeMap<u16, usize>,
    starting: BTreeSet<u16>,
    active: BTreeSet<usize>,
    /// Faults that were in effect, by their place in the plan.
    pub effective: BTreeSet<usize>,
    /// What was lost for good.
    pub losses: Vec<Loss>,
    /// Every end of a process.
    pub outages: Vec<Outage>,
}

impl Controller {
    /// Schedules a plan.
    pub fn new(plan: &Arc<Plan>, ground: &Arc<Ground>) -> Self {
        let mut controller = Self {
            plan: plan.clone(),
            ground: ground.clone(),
            schedule: BTreeMap::new(),
            next: 0,
            backups: BTreeMap::new(),
            armed: BTreeMap::new(),
            starting: BTreeSet::new(),
            active: BTreeSet::new(),
            effective: BTreeSet::new(),
            losses: Vec::new(),
            outages: Vec::new(),
        };
        for (n, planned) in plan.faults.iter().enumerate() {
            controller.at(planned.at, Step::Begin(n));
            if let Fault::Restore { backup_at, .. } = planned.fault {
                controller.at(backup_at, Step::Backup(n));
            }
        }
        controller.at(plan.heal_at, Step::HealAll);
        controller
    }

    fn at(&mut self, when: Duration, step: Step) {
        self.next += 1;
        self.schedule.insert((when, self.next), step);
    }

    /// When the next step is due.
    pub fn next_at(&self) -> Option<Duration> {
        self.schedule.keys().next().map(|(at, _)| *at)
    }

    /// Does everything that is due.
    pub fn due(&mut self, now: Duration) -> Vec<Order> {
        let mut orders = self.watch_processes(now);
        while let Some((&(at, seq), _)) = self.schedule.iter().next()
            && at <= now
        {
            let step = self.schedule.remove(&(at, seq)).expect("just seen");
            self.step(&step, now, &mut orders);
        }
        self.ground.changed.notify_waiters();
        orders
    }

    /// Processes that must end, or whose machine lost power in the middle of a disk operation.
    fn watch_processes(&mut self, now: Duration) -> Vec<Order> {
        let mut orders = Vec::new();
        for site in 0..self.plan.sites {
            let (dead, exited) = {
                let mut state = self.ground.lock();
                let machine = state.machine(site);
                (machine.disk.dead, machine.exited)
            };
            if dead {
                let fault = self.armed.remove(&site);
                let until = fault.map_or(now, |n| self.plan.faults[n].until.max(now));
                let all_lost = fault.is_some_and(|n| {
                    matches!(self.plan.faults[n].fault, Fault::Crash { all_lost: true, .. })
                });
                self.kill(site, now, Some(all_lost), true, until + RESTART_AFTER, &mut orders);
            } else if exited {
                self.kill(site, now, None, true, now + RESTART_AFTER, &mut orders);
            }
        }
        orders
    }

    fn kill(
        &mut self,
        site: u16,
        now: Duration,
        power_cut: Option<bool>,
        disk_survived: bool,
        start_at: Duration,
        orders: &mut Vec<Order>,
    ) {
        {
            let mut state = self.ground.lock();
            state.trace.event(kind::PROCESS, site.into(), now.as_nanos() as u64, &[0]);
            let machine = state.machine(site);
            machine.up = false;
            machine.exited = false;
            match power_cut {
                Some(all_lost) => {
                    let mut power = machine.power.clone();
                    machine.disk.power_cut(&mut power, all_lost);
                    machine.power = power;
                }
                None => machine.disk.process_gone(),
            }
            // Its peers see a reset, or nothing at all until they time out: power takes the sockets with it.
            if power_cut.is_none() {
                state.reset_conns(|(a, b)| a == site || b == site);
            }
        }
        self.outages.push(Outage { site, at: now, back_at: start_at, disk_survived });
        orders.push(Order::Kill(site));
        if self.starting.insert(site) {
            self.at(start_at, Step::Start(site));
        }
    }

    fn step(&mut self, step: &Step, now: Duration, orders: &mut Vec<Order>) {
        match *step {
            Step::Begin(n) => self.begin(n, now, orders),
            Step::Toggle(n, on) => {
                if self.active.contains(&n) {
                    let fault = self.plan.faults[n].fault.clone();
                    self.toggle(&fault, on, now);
                }
            }
            Step::End(n) => {
                if self.active.remove(&n) {
                    self.trace(n, now, 0);
                    self.plan.faults[n].fault.end(&mut self.ground.lock(), now);
                }
            }
            Step::Backup(n) => {
                if let Some(site) = self.plan.faults[n].fault.site() {
                    let backup = self.ground.lock().machine(site).disk.backup();
                    self.backups.insert(n, backup);
                }
            }
            Step::Start(site) => {
                self.starting.remove(&site);
                let mut state = self.ground.lock();
                state.trace.event(kind::PROCESS, site.into(), now.as_nanos() as u64, &[1]);
                let machine = state.machine(site);
                machine.up = true;
                machine.isolated = true; // until it has been audited
                orders.push(Order::Start(site));
            }
            Step::HealAll => {
                for n in std::mem::take(&mut self.active) {
                    self.plan.faults[n].fault.end(&mut self.ground.lock(), now);
                }
                let mut state = self.ground.lock();
                for site in 0..self.plan.sites {
                    let machine = state.machine(site);
                    machine.disk.faults.dies_after = None;
                    machine.clock.heal(now.as_micros() as i64);
                }
            }
        }
    }

    fn toggle(&self, fault: &Fault, on: bool, now: Duration) {
        let mut state = self.ground.lock();
        match fault {
            Fault::ClockStrobe { site, by_ms } => {
                let by = if on { *by_ms } else { -by_ms };
                state.machine(*site).clock.step(now.as_micros() as i64, by);
            }
            fault if on => {
                fault.begin(&mut state, now, None, &mut Vec::new());
            }
            fault => fault.end(&mut state, now),
        }
    }

    fn begin(&mut self, n: usize, now: Duration, orders: &mut Vec<Order>) {
        let planned = self.plan.faults[n].clone();
        let site = planned.fault.site();
        let down = site.is_some_and(|site| !self.ground.lock().machine(site).up);
        if down && matches!(planned.fault, Fault::Crash { .. } | Fault::SyncFail { .. } | Fault::Pause { .. })
        {
            return;
        }
        let act = planned.fault.begin(&mut self.ground.lock(), now, self.backups.get(&n), &mut self.losses);
        if act == Act::NotYet {
            if now + RETRY_EVERY < planned.until {
                self.at(now + RETRY_EVERY, Step::Begin(n));
            }
            return;
        }
        self.trace(n, now, 1);
        self.effective.insert(n);
        match (act, site) {
            (Act::Kill, Some(site)) => {
                let disk_survived = matches!(planned.fault, Fault::Crash { .. });
                let all_lost = matches!(planned.fault, Fault::Crash { all_lost: true, .. });
                // A replaced disk has nothing in flight any more.
                let power_cut = disk_survived.then_some(all_lost);
                if !down {
                    self.kill(site, now, power_cut, disk_survived, planned.until + RESTART_AFTER, orders);
                }
            }
            (Act::Armed, Some(site)) => {
                self.armed.insert(site, n);
            }
            _ => {
                self.active.insert(n);
                if let Some(period) = planned.fault.period() {
                    self.alternate(n, now, planned.until, period);
                }
                self.at(planned.until, Step::End(n));
            }
        }
    }

    /// Off and on again, in pairs: a fault that begins switched on is switched on when it ends.
    fn alternate(&mut self, n: usize, now: Duration, until: Duration, period: Duration) {
        let mut at = now + period;
        while at + period < until {
            self.at(at, Step::Toggle(n, false));
            self.at(at + period, Step::Toggle(n, true));
            at += period * 2;
        }
    }

    fn trace(&self, n: usize, now: Duration, on: u8) {
        self.ground.lock().trace.event(kind::FAULT, n as u64, now.as_nanos() as u64, &[on]);
    }
}
