# Closed in the middle of a run, it merges nothing; reopened, it is asked for again.
a health check fails from the beginning
ana opens move-www: www = 192.0.2.7
it waits for approval
ben approves it
BIND answers www 192.0.2.7
ana closes it
it is closed
the health check passes
main lacks 192.0.2.7
ana reopens it
it waits for "/trueup approve"
ben approves it
it merges
