package main

type raiseCmd struct{}
type pretrainCmd struct{}
type sftCmd struct{}
