# core/engine: its sources, for libpenstock.
