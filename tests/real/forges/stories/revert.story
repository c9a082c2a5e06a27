# Going back is a request like any other.
ana opens move-www: www = 192.0.2.7
it waits for approval
ben approves it
it merges
ana opens revert-www: www = 192.0.2.1
it waits for approval
ben approves it
it merges
BIND still answers www 192.0.2.1
