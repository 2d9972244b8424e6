DROP INDEX products_by_image;
DROP INDEX picture_files_by_time;
