// Endpoint pickers and outlier ejection; one file each, one shared test suite.

export {};
