# A request merges when the name server holds it, and not before somebody approved its plan.
ana opens move-www: www = 192.0.2.7
it waits for approval
it says "192.0.2.7"
it shows trueup/plan as success
it shows trueup/converged as pending
BIND still answers www 192.0.2.1
ben approves it
it merges
BIND still answers www 192.0.2.7
it shows trueup/converged as success
it shows trueup/rollout as success
it is labelled "trueup: merged"
