"""Runs built anew, compared and searched over, through DVC and git."""
