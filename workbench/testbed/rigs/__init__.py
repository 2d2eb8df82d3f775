"""Rigs for the shared broker checks that need an emulator: one file a broker, `make_rig` in it.

A broker whose venue is in process has its rig in its own folder (brokers/sim/rig.py). One that needs an emulator
has it here, since nothing below this room may know it; the checks look in both places.
"""
