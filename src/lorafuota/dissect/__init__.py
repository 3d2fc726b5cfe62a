"""What captured octets say, and what may have gone wrong: for people who have to find out."""
