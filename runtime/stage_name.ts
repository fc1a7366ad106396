/** Where in a flow something happened. Closed, so that metrics, dead letters and errors speak of the same places. */
export type StageName = 'read' | 'decode' | 'transform' | 'event_time' | 'encode' | 'write' | 'commit' | 'dead_letter'
