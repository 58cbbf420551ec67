//! A launcher's process.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::{Error, Interrupt};

/// How often the caller looks at its units meanwhile.
const LOOKS: Duration = Duration::from_secs(1);

/// Refuses what cannot be called, before anything is done.
pub(super) fn check_program(path: &Path) -> Result<(), Error> {
    let refuse = |reason: String| {
        let path = path.to_owned();
        Err(Error::Launcher { path, reason })
    };
    match fs::metadata(path) {
        Err(error) => refuse(format!(
            "{error}. Give its path; cyclr's repository has some to copy, in launchers/"
        )),
        Ok(file) if !file.is_file() => refuse("it is no file".into()),
        Ok(file) if !is_executable(&file) => {
            refuse("it is not executable: chmod +x makes it a program".into())
        }
        Ok(_) => Ok(()),
    }
}

/// Calls a launcher, and waits until it returns. If there is an interrupt, or `look` fails, it is
/// asked to end, and what it has started in its process group is waited for. `look` is called about
/// once a second.
pub(super) fn call(
    program: &Path,
    folder: &Path,
    units: &[&str],
    interrupt: &Interrupt,
    look: &mut dyn FnMut() -> Result<(), Error>,
) -> Result<ExitStatus, Error> {
    let mut launcher = start(program, folder, units)?;
    let returned = poll(look, || {
        interrupt.check()?;
        launcher.try_wait().map_err(Error::io("wait for", program))
    });
    if returned.is_err() {
        ask_to_end(&mut launcher);
        let mut look = || {
            // The first error is the one to tell.
            let _ = look();
            Ok(())
        };
        poll(&mut look, || Ok(is_over(&mut launcher).then_some(())))?;
    }
    returned
}

/// Asks until there is an answer. `look` is called about once a second meanwhile.
fn poll<T>(
    look: &mut dyn FnMut() -> Result<(), Error>,
    mut ask: impl FnMut() -> Result<Option<T>, Error>,
) -> Result<T, Error> {
    let mut nap = Duration::from_millis(5);
    let mut next = Instant::now() + LOOKS;
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if Instant::now() >= next {
            let began = Instant::now();
            look()?;
            // A slow disk is not asked all the time.
            next = Instant::now() + LOOKS.max(10 * began.elapsed());
        }
        sleep(nap);
        nap = (2 * nap).min(Duration::from_millis(100));
    }
}

fn start(program: &Path, folder: &Path, units: &[&str]) -> Result<Child, Error> {
    let mut command = Command::new(program);
    command.arg(folder).args(units).stdin(Stdio::null());
    // What it prints is no result.
    command.stdout(std::io::stderr());
    put_in_group(&mut command);
    command.spawn().map_err(|error| Error::Launcher {
        path: program.to_owned(),
        reason: format!("{error}. Does its first line name an interpreter, as in #!/bin/sh?"),
    })
}

#[cfg(unix)]
fn is_executable(file: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &fs::Metadata) -> bool {
    true
}

/// A group of its own, so that a Ctrl-C in the terminal comes by the interrupt, once.
#[cfg(unix)]
fn put_in_group(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

#[cfg(not(unix))]
fn put_in_group(_: &mut Command) {}

#[cfg(unix)]
fn ask_to_end(launcher: &mut Child) {
    use rustix::process::{Pid, Signal, kill_process_group};
    // A group that has ended cannot be asked, and need not be.
    let _ = kill_process_group(Pid::from_child(launcher), Signal::TERM);
}

#[cfg(not(unix))]
fn ask_to_end(launcher: &mut Child) {
    // One that has ended cannot be asked, and need not be.
    let _ = launcher.kill();
}

/// Whether a launcher has ended, and nothing is left of its group.
#[cfg(unix)]
fn is_over(launcher: &mut Child) -> bool {
    use rustix::process::{Pid, test_kill_process_group};
    has_ended(launcher) && test_kill_process_group(Pid::from_child(launcher)).is_err()
}

#[cfg(not(unix))]
fn is_over(launcher: &mut Child) -> bool {
    has_ended(launcher)
}

fn has_ended(launcher: &mut Child) -> bool {
    !matches!(launcher.try_wait(), Ok(None))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A worker that ends a moment after it was asked to is waited for.
    #[test]
    fn what_a_launcher_started_has_ended_when_a_look_fails() {
        let place = tempfile::tempdir().unwrap();
        let launcher = place.path().join("launcher");
        let worker = "sh -c 'trap \"sleep 0.1; touch $1/saved; exit\" TERM; touch $1/begun; sleep 60 & wait'";
        fs::write(&launcher, format!("#!/bin/sh\n{worker} $0 $1 &\nwait\n")).unwrap();
        fs::set_permissions(&launcher, fs::Permissions::from_mode(0o755)).unwrap();
        let file = |name| place.path().join(name);
        let mut look = || {
            if file("begun").exists() {
                return Err(Error::NoObjective);
            }
            Ok(())
        };
        let interrupt = Interrupt::new();
        let called = call(&launcher, place.path(), &["a"], &interrupt, &mut look);
        assert!(matches!(called, Err(Error::NoObjective)), "{called:?}");
        assert!(file("saved").exists());
    }
}
