//! doorkey above a workload: `--init`, `--mask` and `--watch`, alone and together, and signals.

mod faults;
mod init_exit;
mod init_memory;
mod init_signals;
mod init_terminal;
mod mask;
mod mask_load;
mod mask_memory;
mod mask_parts;
mod mask_printers;
mod mask_terminal;
mod pairs;
mod printed;
mod receiver;
mod signals;
mod watch;
mod watch_lasting;
mod watch_masked;
mod watch_options;
mod watch_restart;
mod watch_workload;
