//! What goes on after connecting: runs, refreshes, calls, releases, schedules, notices.
