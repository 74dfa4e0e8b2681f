package main

// Releases before 1.23 know one encoding and capture v0 alone.
func more(string) {}
