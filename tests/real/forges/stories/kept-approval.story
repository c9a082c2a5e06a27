# A push that changes nothing of the plan keeps its approval.
ana opens move-www as a draft: www = 192.0.2.7
it waits for approval
ben approves it
it waits for "draft"
ana pushes move-www anew: www = 192.0.2.7
ana makes it ready
it merges
BIND still answers www 192.0.2.7
