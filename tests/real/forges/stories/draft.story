# A draft is planned and approved, and does not start.
ana opens move-www as a draft: www = 192.0.2.7
it waits for approval
ben approves it
it waits for "draft"
BIND still answers www 192.0.2.1
ana makes it ready
it merges
BIND still answers www 192.0.2.7
