"""What range tests in every framework share while they make updates."""
