package main

type sftCmd struct{}
