# A required check that nobody set holds the start.
policy required_checks: [ci/test]
ana opens move-www: www = 192.0.2.7
it waits for approval
ben approves it
it waits for "ci/test"
BIND still answers www 192.0.2.1
root sets ci/test of it to failure
it waits for "failed"
root sets ci/test of it to success
it merges
