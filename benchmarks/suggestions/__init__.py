"""How good the suggestions of range tests are: tasks, truth, runs, rules and their report."""
